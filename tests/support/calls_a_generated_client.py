"""Calls a hook through what openapi-python-client made of its document, in the package `sales`. The argument is the server's URL."""

import sys

from sales import Client
from sales.api.calls import call_reports_sales, post_reports_sales
from sales.models import (
    CallReportsSalesRegion,
    Problem,
    ReportsSalesForm,
    ReportsSalesFormRegion,
    ReportsSalesParameters,
    ReportsSalesParametersRegion,
    ReportsSalesUpload,
)

with Client(base_url=sys.argv[1]) as client:
    expected = {"total": 42.0, "where": "SOUTH", "tags": ["A", "B"]}

    south = CallReportsSalesRegion.SOUTH
    answer = call_reports_sales.sync(client=client, price=10.5, n=4, region=south, tags=["a", "b"])
    assert answer == expected, answer

    body = ReportsSalesParameters(price=10.5, n=4, region=ReportsSalesParametersRegion.SOUTH, tags=["a", "b"])
    assert post_reports_sales.sync(client=client, body=body) == expected

    form = ReportsSalesForm(price=10.5, n=4, region=ReportsSalesFormRegion.SOUTH, tags=["a", "b"])
    assert post_reports_sales.sync(client=client, body=form) == expected

    # What is left out has the notebook's default.
    upload = ReportsSalesUpload(price=3.0)
    assert post_reports_sales.sync(client=client, body=upload) == {"total": 42.0, "where": "NORTH", "tags": []}

    response = call_reports_sales.sync_detailed(client=client, price="much")
    assert response.status_code == 422 and isinstance(response.parsed, Problem), response
    assert response.parsed.errors[0].name == "price", response.parsed

print("all is well")
