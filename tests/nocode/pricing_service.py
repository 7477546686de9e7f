"""A plain Nameko service that no addon knows."""

from nameko.rpc import rpc


class NoName(Exception):
    """There is nothing to price."""


class PricingService:
    """Prices engravings."""

    name = "pricing"

    @rpc
    def quote(self, name: str, *, letter_price: float = 1.5) -> dict[str, dict[str, object]]:
        """Quote the engraving of a name, at a price for each letter."""
        if not name:
            raise NoName("A name is needed to quote a price.")
        total = len(name) * letter_price
        return {"quote": {"total": total, "text": f"{total:.2f} EUR"}}
