{
    "name": "Nameko Compute",
    "summary": "Call Nameko microservices over RabbitMQ and get the result back in a field",
    "version": "19.0.1.0.0",
    "category": "Productivity",
    "website": "https://github.com/nameko-compute/nameko-compute",
    "author": "Nameko Compute contributors",
    "license": "LGPL-3",
    "depends": ["web"],
    "external_dependencies": {"python": ["nameko"]},
    "data": [
        "security/nameko_compute_groups.xml",
        "security/ir.model.access.csv",
        "security/nameko_compute_rules.xml",
        "views/nameko_compute_views.xml",
        "views/nameko_compute_menus.xml",
    ],
    "application": True,
}
