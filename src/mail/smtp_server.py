"""A real SMTP server for the tests of mail.rs: prints its port, then one JSON line for every mail it takes.

Arguments: `utf8` to take SMTPUTF8, a port number to listen there. Addresses whose local part is `gone` are refused with 550, `later` with 451.
"""

import asyncio
import base64
import json
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local == "gone":
            return "550 5.1.1 no such user"
        if local == "later":
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        leaves = [part for part in mail.walk() if not part.is_multipart()]
        parts = [[part.get_content_type(), part.get_content()] for part in leaves if not part.is_attachment()]
        files = [
            [part.get_filename(), part.get_content_type(), base64.b64encode(part.get_payload(decode=True)).decode()]
            for part in leaves
            if part.is_attachment()
        ]
        taken = {
            "envelope_from": envelope.mail_from,
            "envelope_to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in mail.items()],
            "type": mail.get_content_type(),
            "parts": parts,
            "files": files,
        }
        print(json.dumps(taken), flush=True)
        return "250 OK"


async def main() -> None:
    loop = asyncio.get_running_loop()
    utf8 = "utf8" in sys.argv
    port = next((int(word) for word in sys.argv[1:] if word.isdigit()), 0)
    server = await loop.create_server(
        lambda: SMTP(Handler(), enable_SMTPUTF8=utf8, loop=loop), "127.0.0.1", port
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test, however that ends.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
