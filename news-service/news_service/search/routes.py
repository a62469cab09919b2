"""The public API of the search."""

import svcs
from flask import Response
from flask_openapi3 import APIBlueprint

from chassis.web import Access, endpoint
from news_service.caching import kept_json
from news_service.clients.user_service import Users
from news_service.search.contract import SearchQuery, SearchResult, search_result
from news_service.search.searching import Search
from news_service.search.terms import read_query

api = APIBlueprint("search", __name__)


@endpoint(api, "GET", "/api/v1/search", access=Access.PUBLIC, answers={200: SearchResult, 304: None})
def search_news(query: SearchQuery) -> Response:
    """Search the articles for words, page by page, the newest first; every word must be there."""
    words = read_query(query.q)
    page = svcs.flask.get(Search).find_articles(words, cursor=query.cursor, limit=query.limit)
    names = svcs.flask.get(Users).names(article.author_id for article in page.items)
    return kept_json(search_result(page, words, names))
