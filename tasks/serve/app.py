"""The pages of `aclnet-task serve`: starlette's routes, our own templates, style and script.

Not gradio, which the plan named: it does not install beside pandas 3 and huggingface_hub 2, reports
its use to its makers unless it is told not to, and draws fonts from outside. Everything here comes
from this package, and a policy in every answer lets browsers load nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from aclnet.memory import is_shortage
from protocols.text import printable_lines
from tasks.serve.access import Access, Guard
from tasks.serve.browse import KINDS, Places
from tasks.serve.desk import BusyError, Desk, Looked
from tasks.serve.uploads import MOST_FILES, UploadedFile, wanted_name

UPLOAD_SECONDS = 120.0
_FORM_BYTES = 1 << 16
"""Largest field of a form that is not a file, and what the forms have beside their files."""

# Whatever a report holds, it can ask for nothing and has no part in this page's origin.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_NO_PAGE = "there is no such page"

Result = TypeVar("Result")


def make_app(desk: Desk, places: Places, access: Access, most: int) -> Guard:
    """The pages, behind their guard.

    Args:
        desk: who answers.
        places: what may be browsed.
        access: how they are reached.
        most: bytes of an upload.
    """
    pages = Pages(desk, places, access, most)
    routes = [
        Route("/", pages.start),
        Route("/look", pages.look, methods=["POST"]),
        Route("/enrol", pages.enrol, methods=["POST"]),
        Route("/remove", pages.remove, methods=["POST"]),
        Route("/people", pages.people),
        Route("/runs", pages.runs),
        Route("/runs/{place:path}", pages.run),
        Route("/report", pages.report),
        Route("/report/{place:path}", pages.report_file),
        Route("/enter", pages.enter, methods=["GET", "POST"]),
        Route("/page.css", partial(_own_file, name="page.css", kind="text/css")),
        Route("/icon.svg", partial(_own_file, name="icon.svg", kind="image/svg+xml")),
        Route("/page.js", partial(_own_file, name="page.js", kind="text/javascript")),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: pages.refused,
        ClientDisconnect: pages.gone,
        500: pages.broken,
    }
    return Guard(Starlette(routes=routes, exception_handlers=handlers), access, most + _FORM_BYTES)


async def _own_file(_: Request, name: str, kind: str) -> Response:
    text = (files("tasks.serve") / "templates" / name).read_text(encoding="utf-8")
    return Response(text, media_type=kind)


class Pages:
    """What each address answers.

    Args:
        desk: who answers.
        places: what may be browsed.
        access: how the pages are reached.
        most: bytes of an upload.
    """

    def __init__(self, desk: Desk, places: Places, access: Access, most: int) -> None:
        self.desk, self.places, self.access, self.most = desk, places, access, most
        self.templates = Environment(
            loader=PackageLoader("tasks.serve"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: printable_lines(value) if type(value) is str else value,
        )
        self.templates.filters["address"] = lambda text: quote(text, safe="/")

    async def start(self, _: Request) -> Response:
        """The page to try."""
        return await self._tried(None, "")

    async def look(self, request: Request) -> Response:
        """What an upload shows."""
        return await self._answered(request, lambda _: self.desk.look)

    async def enrol(self, request: Request) -> Response:
        """Enrol an upload under a name."""

        def work(form: FormData) -> Callable[[list[UploadedFile]], Looked]:
            person = wanted_name(form.get("person"))
            return lambda given: self.desk.enrol(given, person)

        return await self._answered(request, work)

    async def remove(self, request: Request) -> Response:
        """Remove a person."""
        async with asyncio.timeout(UPLOAD_SECONDS), request.form() as form:
            self._require_own(form)
            person = form.get("person")
        try:
            done = await run_in_threadpool(self.desk.remove, wanted_name(person))
        except ValueError as error:
            return await self._tried(None, str(error), 422)
        return await self._tried(Looked("", done=done), "")

    async def people(self, _: Request) -> Response:
        """The list of who is enrolled, for the page to look at again and again."""
        return self._page("people.html", **await self._enrolled())

    async def runs(self, _: Request) -> Response:
        """The list of runs."""
        lines, more = await run_in_threadpool(self.places.listed)
        return self._page("runs.html", lines=lines, more=more)

    async def run(self, request: Request) -> Response:
        """One run."""
        place = request.path_params["place"]
        try:
            found = await run_in_threadpool(self.places.run, place)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        if found is None:
            raise HTTPException(404, "there is no such run")
        return self._page("run.html", run=found, place=place)

    async def report(self, _: Request) -> Response:
        """The report's files."""
        return self._page("report.html", files=await run_in_threadpool(self.places.report_files))

    async def report_file(self, request: Request) -> Response:
        """A file of the report."""
        try:
            found = await run_in_threadpool(self.places.report_file, request.path_params["place"])
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        if found is None:
            raise HTTPException(404, "there is no such file in the report")
        content, ending = found
        headers = {"content-security-policy": _REPORT_POLICY, "content-type": KINDS[ending]}
        if ending == ".pdf":  # browsers show none in a sandbox
            headers["content-disposition"] = "attachment"
        return Response(content, headers=headers)

    async def enter(self, request: Request) -> Response:
        """Ask for the token, and remember who has given it."""
        if request.method == "GET":
            return self._page("enter.html", wrong=False)
        async with asyncio.timeout(UPLOAD_SECONDS), request.form(max_files=0) as form:
            given = form.get("token")
        if not self.access.token or not self.access.is_token(given):
            return self._page("enter.html", 403, wrong=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.access.cookie, self.access.session(), httponly=True, samesite="lax")
        return answer

    async def refused(self, _: Request, error: Exception) -> Response:
        """What was not done, and why."""
        if not isinstance(error, HTTPException):
            raise error
        page = self._page(
            "error.html",
            error.status_code,
            why=_NO_PAGE if error.detail == "Not Found" else error.detail,
        )
        page.headers.update(error.headers or {})
        return page

    async def gone(self, _: Request, __: Exception) -> Response:
        """Nothing: nobody is there any more to read it."""
        return Response(status_code=400)

    async def broken(self, _: Request, __: Exception) -> Response:
        """A mistake of this program."""
        why = "this is a mistake of the program; the terminal of `aclnet-task serve` says more"
        return self._page("error.html", 500, why=why)

    async def _answered(
        self, request: Request, work: Callable[[FormData], Callable[[list[UploadedFile]], Looked]]
    ) -> Response:
        """The page with an answer to an upload, or with what is wrong with it."""
        form: FormData | None = None
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                form = await request.form(
                    max_files=MOST_FILES, max_fields=10, max_part_size=_FORM_BYTES
                )
            self._require_own(form)
            given = [
                UploadedFile(one.filename, one.file)
                for one in form.getlist("files")
                if isinstance(one, UploadFile) and one.filename
            ]
            task = work(form)
            return await self._tried(await self.desk.ask(lambda: task(given)), "")
        except TimeoutError:
            raise HTTPException(408, "the upload took too long") from None
        except BusyError:
            return await self._tried(None, "others are being answered: try again soon", 503)
        except ValueError as error:
            return await self._tried(None, str(error), 422)
        except Exception as error:
            if not is_shortage(error):
                raise
            return await self._tried(None, "there is not enough memory for this upload", 422)
        finally:
            if form is not None:
                await form.close()

    def _require_own(self, form: FormData) -> None:
        if not self.access.is_form_token(form.get("form_token")):
            raise HTTPException(403, "this form is not of this page, or older: load the page again")

    async def _enrolled(self) -> dict[str, Any]:
        try:
            people, threshold = await run_in_threadpool(self.desk.people)
        except ValueError as error:
            return {"people": [], "threshold": None, "trouble": str(error)}
        return {"people": people, "threshold": threshold, "trouble": ""}

    async def _tried(self, looked: Looked | None, wrong: str, status: int = 200) -> Response:
        model = self.desk.model
        return self._page(
            "try.html",
            status,
            looked=looked,
            wrong=wrong,
            info=model.info,
            most_mib=self.most >> 20,
            **await self._enrolled(),
        )

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        common = {
            "desk": self.desk,
            "places": self.places,
            "form_token": self.access.form_token if template in _WITH_FORMS else "",
        }
        return HTMLResponse(self.templates.get_template(template).render(common | values), status)


_WITH_FORMS = ("try.html", "people.html")
"""Templates with forms that change something."""
