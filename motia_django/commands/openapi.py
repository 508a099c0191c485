"""`openapi`: what the http Steps ask for and answer, as an OpenAPI document."""

from __future__ import annotations

import importlib.util
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from motia_django.commands.base import Subcommand


class OpenApi(Subcommand):
    """`motia_steps openapi`."""

    name = "openapi"
    help = "Print the OpenAPI document of the http Steps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=("yaml", "json"), default="yaml")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write it into this file")
        parser.add_argument(
            "--validate", action="store_true", help="fail unless it is valid OpenAPI"
        )

    def run(self, options: Mapping[str, Any]) -> None:
        if importlib.util.find_spec("drf_spectacular") is None:
            raise CommandError(
                "drf-spectacular is not installed: pip install 'motia-django[openapi]'"
            )
        from motia_django.openapi import documents

        document = documents.step_document()
        if not document["paths"]:
            raise CommandError(
                "No URL leads to an http Step: is there one (`motia_steps list`), and does the"
                ' project\'s urls.py have path("", include("motia_django.urls"))?'
            )
        why_invalid = documents.why_invalid(document) if options["validate"] else ""
        if why_invalid:
            raise CommandError(f"The document is not valid OpenAPI: {why_invalid}")
        self._write(documents.written(document, options["format"]), options["output"])

    def _write(self, text: str, output: Path | None) -> None:
        if output is None:
            self.out.write(text)
            return
        try:
            output.write_text(text, "utf-8")
        except OSError as error:
            raise CommandError(f"--output: {error}", returncode=2) from error
