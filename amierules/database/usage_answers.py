"""What the other side answered to notify_project_usage packets."""

from sqlalchemy import Connection, select

from amierules.database.amie_tables import data_tbl, packet_tbl, type_des
from amierules.database.usage_reports import SENT
from amierules.database.usage_tables import usage_report

_ANSWER = "inform_transaction_complete"


def answered(connection: Connection, remote: str) -> dict[int, tuple[bool, str]]:
    """Of the records whose packet is answered, by usage_id: whether it was taken, and the answer's message."""
    sent, reply = packet_tbl.alias("sent"), packet_tbl.alias("reply")
    status, message = data_tbl.alias("status"), data_tbl.alias("message")
    query = (
        select(usage_report.c.usage_id, status.c.value, message.c.value)
        .join(sent, sent.c.packet_rec_id == usage_report.c.packet_rec_id)
        .join(reply, (reply.c.trans_rec_id == sent.c.trans_rec_id) & (reply.c.outgoing_flag == 0))
        .join(type_des, (type_des.c.type_id == reply.c.type_id) & (type_des.c.type_name == _ANSWER))
        .join(status, (status.c.packet_rec_id == reply.c.packet_rec_id) & (status.c.tag == "StatusCode"))
        .outerjoin(message, (message.c.packet_rec_id == reply.c.packet_rec_id) & (message.c.tag == "Message"))
        .where(usage_report.c.remote == remote, usage_report.c.state == SENT)
    )
    return {row[0]: (str(row[1]).lower() == "success", row[2] or "") for row in connection.execute(query)}
