"""A receiver of webhooks as its users would write one, with the package of Standard Webhooks: `python verifies_webhooks.py SECRET`.

It answers 204 to what is signed with the secret, and 400 to anything else; its port is printed first.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            told = Webhook(sys.argv[1]).verify(body, dict(self.headers))
            assert told["type"] == "inbox.received", told
            self.send_response(204)
        except WebhookVerificationError as error:
            self.send_response(400, str(error))
        self.end_headers()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
