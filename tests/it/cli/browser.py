"""Looks at a page in a real browser: prints what it sees as JSON, and keeps a picture of it."""

import json
import os
import sys

# No screen, no graphics card, possibly root.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--disable-gpu"

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile, QWebEngineUrlRequestInterceptor
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

LOOK = """
(() => {
  const box = element => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return { text: element.textContent, box: [left, top, right, bottom] };
  };
  const all = selector => [...document.querySelectorAll(selector)];
  return JSON.stringify({
    page: [document.documentElement.scrollWidth, document.documentElement.scrollHeight],
    window: [window.innerWidth, window.innerHeight],
    title: document.title,
    scripts: all("script").length,
    headings: all("h1, h2").map(box),
    tables: all("table").map(box),
    pictures: all("svg").map(svg => ({
      box: box(svg).box,
      circles: svg.querySelectorAll("circle").length,
      texts: [...svg.querySelectorAll("text")].map(box),
    })),
  });
})()
"""


class Requests(QWebEngineUrlRequestInterceptor):
    def __init__(self):
        super().__init__()
        self.urls = []

    def interceptRequest(self, info):
        self.urls.append(info.requestUrl().toString())


class Page(QWebEnginePage):
    def __init__(self, parent):
        super().__init__(parent)
        self.messages = []

    def javaScriptConsoleMessage(self, level, message, line, source):
        self.messages.append(message)


def main(html, picture):
    app = QApplication(sys.argv[:1])
    requests = Requests()
    QWebEngineProfile.defaultProfile().setUrlRequestInterceptor(requests)
    view = QWebEngineView()
    page = Page(view)
    view.setPage(page)
    view.resize(1280, 900)

    def seen(answer):
        found = json.loads(answer)
        # All of it on the picture.
        view.resize(1280, min(found["page"][1], 6000))
        found |= {"console": page.messages, "requests": requests.urls}
        print(json.dumps(found))
        QTimer.singleShot(1500, keep)

    def keep():
        view.grab().save(picture)
        app.exit(0)

    def loaded(well):
        if not well:
            print(f"{html} was not loaded", file=sys.stderr)
            app.exit(1)
        page.runJavaScript(LOOK, seen)

    page.loadFinished.connect(loaded)
    QTimer.singleShot(100_000, lambda: app.exit(2))
    view.load(QUrl.fromLocalFile(html))
    view.show()
    return app.exec()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
