"""What a person decides about a packet that the other side does not have."""

from amierules.database import events, posts
from amierules.database.packets import read_packets
from amierules.database.posts import DROPPED, REPLY, SENDING, SENT, START, WAITING
from amierules.diagnostics import Finding
from amierules.engine.site import Site


def decide(site: Site, packet_rec_id: int, state: str, reason: str, by: str) -> Finding | None:
    """Has a packet of ours sent once more (`waiting`) or not any more (`dropped`); why not, where that cannot be.

    Raises `Unavailable`.
    """
    now = site.world.clock.now()
    with site.database.begin() as connection:
        stored = read_packets(connection, [packet_rec_id], site.name).get(packet_rec_id)
        if stored is None or not stored.packet.header.outgoing:
            what = "there is no packet" if stored is None else "we have not written packet"
            return Finding("no-such-packet", f"{what} {packet_rec_id}", hint="`amierules exchange list` numbers them")
        before = posts.state_of(connection, packet_rec_id)
        if before == SENT or stored.packet.header.remote_packet_rec_id is not None:
            return Finding("not-allowed", f"packet {packet_rec_id} was sent: the other side has it")
        if before == SENDING:
            hint = "the next `amierules exchange` looks at the server whether it was taken"
            return Finding("not-allowed", f"nobody knows yet whether packet {packet_rec_id} was taken", hint=hint)
        if state == WAITING and before in (None, WAITING):
            return Finding("not-allowed", f"packet {packet_rec_id} is sent by the next exchange anyway")
        if state == before:
            return Finding("not-allowed", f"packet {packet_rec_id} is {state} already")
        kind = START if stored.in_reply_to is None else REPLY
        to = stored.packet.header.remote_site_name
        posts.decide(connection, packet_rec_id, kind, to, state=state, reason=reason, now=now)
        what = "dropped: it is not sent" if state == DROPPED else "to be sent once more"
        events.add(connection, packet_rec_id, by, what, reason, now)
    return None
