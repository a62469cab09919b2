import pytest

from user_service.models import User

CARD = {"id": 1, "nick_name": "Alice", "avatar_url": None}


@pytest.fixture
def alice(visitor, register):
    return visitor.signed_in(register(nick_name="Alice"))


def test_the_owner_sees_the_whole_account(alice):
    answer = alice.call("GET", "/api/v1/users/me")
    assert answer.status_code == 200
    assert answer.json["mobile"] == "+8613800138000"
    assert set(answer.json) == {
        *("id", "nick_name", "mobile", "avatar_url", "signature"),
        *("gender", "roles", "created_at", "last_login"),
    }


@pytest.mark.any_database
def test_nobody_is_signed_in_without_a_user(visitor):
    answer = visitor.call("GET", "/api/v1/users/me")
    assert (answer.status_code, answer.json["code"], answer.json["errno"]) == (401, "unauthenticated", "4101")


def test_a_token_that_outlived_its_account_is_nobody(alice, database):
    with database.write() as db:
        db.delete(db.get_one(User, 1))
    assert alice.call("GET", "/api/v1/users/me").json["code"] == "unauthenticated"
    assert alice.call("PATCH", "/api/v1/users/me", {"gender": "MAN"}).json["code"] == "unauthenticated"


def test_an_admin_has_the_role_in_answers_and_tokens(alice, database, log_in, claims_of):
    assert alice.call("GET", "/api/v1/users/me").json["roles"] == []
    with database.write() as db:
        db.get_one(User, 1).is_admin = True
    answer = log_in()
    assert answer.json["user"]["roles"] == claims_of(answer.json["access_token"])["roles"] == ["admin"]


def test_a_change_sets_the_named_fields_only(alice, stored_users):
    registered_at = stored_users()[0].update_time
    first = alice.call("PATCH", "/api/v1/users/me", {"signature": "好好学习\n天天向上", "gender": "WOMAN"})
    assert (first.status_code, first.json["nick_name"]) == (200, "Alice")
    second = alice.call("PATCH", "/api/v1/users/me", {"nick_name": "Ａlice 2"})
    assert second.json == {**first.json, "nick_name": "Alice 2"}
    assert second.json == alice.call("GET", "/api/v1/users/me").json
    assert stored_users()[0].update_time > registered_at


def test_an_empty_signature_removes_it(alice):
    alice.call("PATCH", "/api/v1/users/me", {"signature": "x"})
    assert alice.call("PATCH", "/api/v1/users/me", {"signature": ""}).json["signature"] is None


def test_an_empty_change_changes_nothing(alice, stored_users):
    before = alice.call("GET", "/api/v1/users/me").json
    registered_at = stored_users()[0].update_time
    assert alice.call("PATCH", "/api/v1/users/me", {}).json == before
    assert stored_users()[0].update_time == registered_at


def test_a_taken_nick_name_is_refused_and_the_own_one_is_not(alice, register, visitor):
    bob = visitor.signed_in(register(mobile="+8613800138001", nick_name="Bob"))
    answer = bob.call("PATCH", "/api/v1/users/me", {"nick_name": "Alice"})
    assert (answer.status_code, answer.json["code"]) == (409, "nick_name_taken")
    assert bob.call("PATCH", "/api/v1/users/me", {"nick_name": "Bob"}).status_code == 200


def test_nick_names_differ_by_case(alice, register):
    assert register(mobile="+8613800138001", nick_name="alice").status_code == 201


def test_everybody_sees_the_public_profile_without_the_mobile(alice, visitor):
    answer = visitor.call("GET", "/api/v1/users/1")
    assert answer.status_code == 200
    assert answer.json == {**CARD, "signature": None, "gender": "MAN"}


@pytest.mark.parametrize("path", ["/api/v1/users/2", "/api/v1/users/0x1", "/api/v1/users/-1"])
def test_an_unknown_user_is_not_found(alice, visitor, path):
    answer = visitor.call("GET", path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_an_id_that_no_database_holds_is_refused(visitor):
    assert visitor.call("GET", "/api/v1/users/2147483648").status_code == 422


@pytest.mark.parametrize("service", ["news-service", "gateway"])
def test_services_ask_for_names_and_unknown_ids_are_left_out(alice, app, called_by, service):
    headers = called_by("user-service", service)
    answer = app.test_client().get("/internal/users?id=1&id=7&id=1", headers=headers)
    created_at = alice.call("GET", "/api/v1/users/me").json["created_at"]
    assert (answer.status_code, answer.json) == (200, {"items": [{**CARD, "created_at": created_at}]})


@pytest.mark.any_database
@pytest.mark.parametrize("query", ["", "?id=x", "?id=0", "?ids=1", "?" + "&".join(f"id={n}" for n in range(1, 102))])
def test_a_wrong_question_for_names_is_refused(app, called_by, query):
    answer = app.test_client().get("/internal/users" + query, headers=called_by("user-service", "news-service"))
    assert (answer.status_code, answer.json["code"]) == (422, "request_invalid")


@pytest.mark.any_database
def test_other_services_may_not_ask_for_names(app, called_by):
    answer = app.test_client().get("/internal/users?id=1", headers=called_by("user-service", "sms-service"))
    assert answer.status_code == 403


@pytest.fixture
def same(app, called_by):
    """Ask as news-service which accounts of a dump are the same here."""

    def ask(accounts, service="news-service"):
        headers = called_by("user-service", service)
        return app.test_client().post("/internal/users/imported", headers=headers, json={"accounts": accounts})

    return ask


def test_T48_an_account_of_a_dump_is_the_same_by_id_and_mobile_alone(alice, register, change_user, same, clock):
    register(mobile="+8613900139000")
    register(mobile="+8613900139001")
    change_user("+8613900139001", deleted_at=clock.now)
    mobiles = {1: "138 0013 8000", 2: "13800138000", 3: "13900139001", 4: "13900139000"}
    answer = same([{"id": number, "mobile": mobile} for number, mobile in mobiles.items()])
    assert (answer.status_code, answer.json) == (200, {"ids": [1]})
    assert same([{"id": 1, "mobile": "no mobile"}, {"id": 2, "mobile": "+8613900139000"}]).json == {"ids": [2]}


@pytest.mark.any_database
def test_500_accounts_of_a_dump_are_a_question_and_more_are_refused(alice, same):
    accounts = [{"id": number, "mobile": "13800138000"} for number in range(1, 502)]
    assert same(accounts[:500]).json == {"ids": [1]}
    wrong = ([], accounts, [{"id": 0, "mobile": "13800138000"}], [{"id": 1}], [{"id": "1", "mobile": "13800138000"}])
    assert [same(each).status_code for each in wrong] == [422] * 5


@pytest.mark.any_database
@pytest.mark.parametrize("service", ["gateway", "sms-service"])
def test_only_the_news_ask_for_accounts_of_a_dump(same, service):
    assert same([{"id": 1, "mobile": "13800138000"}], service).status_code == 403


def test_rows_of_the_classic_dumps_are_shown_with_their_gaps(database, visitor):
    with database.write() as db:
        row = User(nick_name="old", password_hash="x", mobile="+8613800138009", avatar_url="")
        row.create_time = row.gender = row.is_admin = None
        db.add(row)
    assert visitor.call("GET", "/api/v1/users/1").json["gender"] == "MAN"
    assert visitor.call("GET", "/api/v1/users/1").json["avatar_url"] is None
