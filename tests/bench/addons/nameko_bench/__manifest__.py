{
    "name": "Nameko Compute: what the benchmark compares with",
    "version": "19.0.1.0.0",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["nameko_compute"],
    "installable": True,
}
