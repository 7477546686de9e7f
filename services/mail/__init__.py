"""Mail that is accepted at once and delivered later: `nameko run services.mail`.

`mail` accepts, `mail_delivery` delivers: two services, so that a slow SMTP server that occupies
every worker of the one leaves the other free to accept.
"""

from services.mail.service import MailDeliveryService, MailService

__all__ = ["MailDeliveryService", "MailService"]
