{
    "name": "Queue Job Probe",
    "summary": "The benchmark's trivial job, run by OCA's queue_job",
    "version": "19.0.1.0.0",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["queue_job"],
    "data": ["data.xml"],
}
