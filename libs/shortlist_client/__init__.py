"""The public Python client.

>>> from shortlist_client import Client
>>> with Client("127.0.0.1:50051") as client:          # doctest: +SKIP
...     answer = client.recommend(user_id="42", slate_size=5, item_fields=["title"])
...     for result in answer.results:
...         print(result.rank, result.item_id, result.score)
"""

from shortlist_client.aio import AsyncClient
from shortlist_client.connection import Retries, tls
from shortlist_client.errors import retry_after_s, violations
from shortlist_client.messages import first_page
from shortlist_client.sync import Client
from shortlist_client.values import event, named_filter, rating

__all__ = [
    "AsyncClient",
    "Client",
    "Retries",
    "event",
    "first_page",
    "named_filter",
    "rating",
    "retry_after_s",
    "tls",
    "violations",
]
