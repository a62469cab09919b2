"""Puts the news service together."""

import svcs
from flask_openapi3 import OpenAPI
from redis import Redis

from chassis.database import Database
from chassis.identity import InternalTokens
from chassis.logs import configure_logs
from chassis.pictures import Pictures
from chassis.redis_client import connect_redis
from chassis.self_test import check_start
from chassis.service_client import ServiceClient
from chassis.settings import fail_to_boot, load_settings
from chassis.tracing import export_spans
from chassis.web import create_api
from news_service.articles import routes
from news_service.articles.articles import Articles
from news_service.articles.categories import Categories
from news_service.articles.view_flush import ViewFlush
from news_service.articles.views import Views
from news_service.clients.user_service import Users
from news_service.commands import install_commands
from news_service.comments import routes as comment_routes
from news_service.comments.comments import Comments
from news_service.comments.likes import Likes
from news_service.comments.posting import Posting
from news_service.comments.spam import SpamBounds, SpamGuard
from news_service.feeds import routes as feed_routes
from news_service.feeds.sitemap import Sitemap
from news_service.pages.routes import install_pages
from news_service.rate_limits import RateLimits, ReactionLimit
from news_service.readers import routes as reader_routes
from news_service.readers.favourites import Favourites
from news_service.readers.feed import Feed
from news_service.readers.follows import Follows
from news_service.readers.notices import Notices
from news_service.repeating import RepeatingThread, RepeatingThreads
from news_service.review import routes as review_routes
from news_service.review.articles import ArticleReview
from news_service.review.authors import AuthorReview
from news_service.review.comments import CommentReview
from news_service.review.decisions import Decisions
from news_service.review.queue import ReviewQueue
from news_service.review.word_list import WordList, WordListRefused
from news_service.search import routes as search_routes
from news_service.search.searching import Search
from news_service.settings import Settings
from news_service.site import Site
from news_service.writing import image_routes
from news_service.writing import routes as writing_routes
from news_service.writing.images import SIDE_PX, ImageFolder, Images
from news_service.writing.own_articles import OwnArticles
from news_service.writing.revisions import Revisions

SERVICE = "news-service"
QUEUE_MEASURED_SECONDS = 60.0


def create_app(settings: Settings | None = None) -> OpenAPI:
    """Build the app; without settings it reads them from the environment and configures the logs."""
    if settings is None:
        settings = load_settings(Settings)
        configure_logs(SERVICE, settings.log_level, client_addresses=settings.log_client_addresses)
        export_spans(SERVICE, settings.otlp_endpoint)
        check_start(settings, redis_url=settings.redis_url)
    word_list = _read_word_list(settings)
    tokens = InternalTokens(settings.internal_token_key.get_secret_value())
    app = create_api(
        __name__,
        service=SERVICE,
        tokens=tokens,
        metrics_port=settings.metrics_port,
        template_folder="pages/templates",
        static_folder=None,  # The pages serve their static files themselves, under names with a content hash.
    )
    user_service = ServiceClient(settings.user_service_url, name="user-service", own_name=SERVICE, tokens=tokens)
    _register_services(app, settings, user_service, word_list)
    apis = (routes.api, comment_routes.api, reader_routes.api, writing_routes.api, image_routes.api)
    for api in (*apis, review_routes.api, search_routes.api, feed_routes.api):
        app.register_api(api)
    install_pages(app, settings.image_hosts)
    install_commands(app, settings, user_service)
    return app


def _register_services(app: OpenAPI, settings: Settings, user_service: ServiceClient, word_list: WordList) -> None:
    database = Database(settings.database_url.get_secret_value())
    redis = connect_redis(settings.redis_url)
    svcs.flask.register_value(app, Database, database, ping=Database.is_up, on_registry_close=database.close)
    svcs.flask.register_value(app, Redis, redis, ping=Redis.ping, on_registry_close=redis.close)
    # No ping: the service answers pages without user-service, too.
    users = Users(user_service)
    views = Views(redis=redis, once_per_seconds=settings.view_counts_once_per_seconds)
    queue = ReviewQueue(database)
    articles, site = Articles(database), Site(settings.site_url)
    parts = (
        *(users, views, articles, Categories(database), Search(database, articles), site),
        *(Sitemap(database=database, site=site), Revisions(database), Notices(database), Feed(database)),
        *(Favourites(database, views), Follows(database, users), Comments(database), Likes(database)),
        *(queue, ArticleReview(database), CommentReview(database, views), AuthorReview(database, views)),
        *(Decisions(database), ReactionLimit(RateLimits(redis), settings.reactions_per_user_per_minute)),
        OwnArticles(database=database, words=word_list, most_per_day=settings.articles_per_user_per_day),
        Images(
            database=database,
            redis=redis,
            pictures=Pictures("image", side_px=SIDE_PX),
            folder=ImageFolder(settings.images_dir),
            most_per_day=settings.images_per_user_per_day,
        ),
        Posting(
            database=database,
            guard=SpamGuard(redis, users, bounds=_spam_bounds(settings)),
            words=word_list,
            policy=settings.comment_review,
            views=views,
        ),
    )
    for part in parts:
        svcs.flask.register_value(app, type(part), part)
    threads = RepeatingThreads(
        RepeatingThread(
            ViewFlush(database, redis).flush, name="view-flusher", every_seconds=settings.view_flush_seconds
        ),
        RepeatingThread(queue.measure, name="queue-measurer", every_seconds=QUEUE_MEASURED_SECONDS),
    )
    svcs.flask.register_value(app, RepeatingThreads, threads, on_registry_close=threads.stop)
    # The first request starts the threads: a command has none, and every worker has its own after the fork.
    app.before_request(threads.start)


def _read_word_list(settings: Settings) -> WordList:
    try:
        return WordList(settings.word_list_file)
    except WordListRefused as refused:
        fail_to_boot("The word list is wrong:", refused.problems)


def _spam_bounds(settings: Settings) -> SpamBounds:
    return SpamBounds(
        per_user_per_minute=settings.comments_per_user_per_minute,
        per_ip_per_minute=settings.comments_per_ip_per_minute,
        new_accounts_wait_seconds=settings.new_accounts_wait_seconds,
    )
