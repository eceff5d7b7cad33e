"""What a page of packets becomes that have to do with each other."""

from tests.support.exchanges import ANSWER, MakeExchange, body_of
from tests.support.json_server import Say
from tests.support.sites import rpi

RULES = {"a.yaml": ANSWER}
COMPLETE = "inform_transaction_complete"
SUCCESS = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}


def test_a_complete_that_is_over_is_taken_where_its_transaction_is_here(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    central = exchange.central
    asked = central.add("request_project_inactivate", body_of(rpi()))
    keys = [
        central.add(COMPLETE, SUCCESS, trans_rec_id=asked, transaction_id=asked + 5000, packet_state="completed"),
        central.add(COMPLETE, SUCCESS, packet_state="completed"),
        central.add("request_project_inactivate", body_of(rpi()), packet_state="completed"),
        asked,
    ]
    listed = [central.shown(central.packets[key]) for key in keys]
    central.fault = lambda request: Say(200, {"result": listed})
    assert exchange.once().fetched.new == 2
    assert sorted(exchange.packets()) == [
        ("<-", COMPLETE, "in-progress"),
        ("<-", "request_project_inactivate", "in-progress"),
    ]
    assert exchange.once(full=True).fetched.known == 2


def test_many_among_which_some_are_refused(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    keys = [exchange.central.add("request_project_inactivate", body_of(rpi())) for _ in range(120)]
    for key in keys[7::40]:  # no tag is so long
        exchange.central.packets[key]["body"]["X" * 33] = "too long a tag"
    assert (exchange.once().fetched.new, len(exchange.unreadable())) == (117, 3)
