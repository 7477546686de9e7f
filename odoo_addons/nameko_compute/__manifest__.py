{
    "name": "Nameko Compute",
    "summary": "An example to copy: a model whose buttons have a Nameko service compute",
    "version": "19.0.1.0.0",
    "category": "Productivity",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["nameko_connector"],
    "data": [
        "security/ir.model.access.csv",
        "security/nameko_compute_rules.xml",
        "views/nameko_compute_views.xml",
        "views/nameko_compute_menus.xml",
        "data/nameko_compute_cron.xml",
    ],
    "demo": ["demo/nameko_compute_demo.xml"],
    "application": True,
}
