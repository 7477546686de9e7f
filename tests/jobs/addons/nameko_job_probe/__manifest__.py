{
    "name": "Nameko Job Probe",
    "summary": "A target of jobs that counts how often a result is written to it",
    "version": "19.0.1.0.0",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["nameko_compute"],
    "data": ["security/ir.model.access.csv"],
}
