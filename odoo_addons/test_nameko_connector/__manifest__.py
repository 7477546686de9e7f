{
    "name": "Test Nameko Connector",
    "summary": "Tests of the Nameko connector that need a model with jobs",
    "version": "19.0.1.0.0",
    "category": "Hidden",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["nameko_compute"],
}
