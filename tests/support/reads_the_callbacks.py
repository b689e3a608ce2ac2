"""Opens an operation in Swagger UI with a real Chromium, clicks on "Callbacks", and prints what is to be read there.

Arguments: the browser, the page's address with `#/tag/operation`, a folder for its profile, and the file for a picture.
"""

import asyncio
import base64
import json
import subprocess
import sys

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

BROWSER, PAGE, PROFILE, PICTURE = sys.argv[1:]
# Each step waits for what it needs: the page is made by scripts. The second click opens the callback's operation.
STEPS = [
    "[...document.querySelectorAll('.is-open .tab-item')].filter(tab => /Callbacks/.test(tab.textContent)).map(click).length > 0",
    "[...document.querySelectorAll('.callbacks-container .opblock-summary-control')].map(click).length > 0",
    "document.querySelectorAll('.callbacks-container .opblock.is-open .responses-wrapper').length > 0",
]
READ = "document.querySelector('.callbacks-container').innerText"


async def say(socket, number, method, **params):
    """Sends a command and gives its result; events in between do not matter."""
    await socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        message = json.loads(await socket.read_message())
        if message.get("id") == number:
            return message["result"]


async def evaluate(socket, number, expression):
    expression = f"(click => JSON.stringify([{expression}]))(it => it.click())"
    result = await say(socket, number, "Runtime.evaluate", expression=expression, returnByValue=True)
    return json.loads(result["result"].get("value") or "[false]")[0]


async def read(port):
    """What is to be read, and a picture of it."""
    pages = json.loads((await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/json")).body)
    address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    socket = await websocket_connect(address, max_message_size=64 << 20)
    await say(socket, 1, "Page.navigate", url=PAGE)
    number = 2
    for step in STEPS:
        for _ in range(600):
            number += 1
            if await evaluate(socket, number, step):
                break
            await asyncio.sleep(0.05)
        else:
            raise SystemExit(f"not there: {step}")
    text = await evaluate(socket, number + 1, READ)
    picture = await say(socket, number + 2, "Page.captureScreenshot", format="png")
    return text, base64.b64decode(picture["data"])


def main():
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1200,2400"]
    command = [BROWSER, *flags, f"--user-data-dir={PROFILE}", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        port = next(line for line in browser.stderr if "DevTools listening on" in line).split(":")[-1].split("/")[0]
        text, picture = asyncio.run(read(port))
    finally:
        browser.kill()
        browser.wait()
    print(text)
    with open(PICTURE, "wb") as file:
        file.write(picture)


main()
