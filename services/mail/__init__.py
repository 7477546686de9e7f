"""Mail that is accepted at once and delivered later: `nameko run services.mail`.

`mail` accepts mails and `mail_delivery` delivers them. A slow SMTP server can block every worker of
`mail_delivery`; because `mail` is a service of its own, it still accepts mails then.
"""

from services.mail.service import MailDeliveryService, MailService

__all__ = ["MailDeliveryService", "MailService"]
