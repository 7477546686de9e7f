"""A service that nobody's Odoo has heard of: stock Nameko, known to no addon."""

from nameko.rpc import rpc


class NoName(Exception):
    """There is nothing to price."""


class PricingService:
    """Prices names by their letters."""

    name = "pricing"

    @rpc
    def quote(self, name: str, *, letter: float = 1.5) -> dict[str, dict[str, object]]:
        """Quote a price for a name: so much for each of its letters."""
        if not name:
            raise NoName("A name is needed to quote a price.")
        total = len(name) * letter
        return {"quote": {"total": total, "text": f"{total:.2f} EUR"}}
