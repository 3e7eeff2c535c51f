"""What the OpenAPI document says against what is answered: schemathesis asks whatever the document allows, and more.

The application runs on whole in-memory ports. No answer is 500 or above, none has a status or a body that the document
does not name. The seed is fixed: the same code is asked the same.
"""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.http.schema import document
from tests.support.shop import Shop

EXAMPLES = 8
SHOP = Shop()
APP: Any = SHOP.app
FOREVER = {"/v1/stream"}
"""What is answered for as long as one listens."""

SCHEMA = schemathesis.openapi.from_dict(document(APP))
SCHEMA.app = APP
ASKED = SCHEMA.exclude(path=list(FOREVER))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def asked(case: schemathesis.Case[Any], key: str) -> None:
    if case.path.startswith("/v1/indicative"):
        case.headers.pop("Accept", None)  # who accepts a stream is given one, for ever
    if case.query:
        case.query.pop("wait_for", None)  # waiting is tested where time is short
    headers = SHOP.bearer(key) if key else {}
    answer = case.call(app=APP, base_url="http://ballast.test", headers=headers)
    case.validate_response(answer, checks=CHECKS)


@ASKED.include(path_regex="^/(rfq|order|fees|asset|order-confirmation)").parametrize()
@seed(7)
@settings(
    max_examples=3 * EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    database=None,
)
def test_public_routes_answer_as_the_document_says(case: schemathesis.Case[Any]) -> None:
    asked(case, "")


@pytest.mark.parametrize("key", ["risk"])
@ASKED.include(path_regex="^/(v1|health|metrics|schema|$)").parametrize()
@seed(7)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    database=None,
)
def test_keyed_routes_answer_as_the_document_says(case: schemathesis.Case[Any], key: str) -> None:
    asked(case, key)
