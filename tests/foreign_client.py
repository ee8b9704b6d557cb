"""A client of duban in Python: python foreign_client.py PROTOS STUBS ADDRESS"""

import pathlib
import subprocess
import sys
import uuid

protos, stubs, address = sys.argv[1:]
files = [str(path.relative_to(protos)) for path in pathlib.Path(protos).rglob("*.proto")]
generate = ["-m", "grpc_tools.protoc", f"-I{protos}", f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
subprocess.run([sys.executable, *generate, *files], check=True)
sys.path.insert(0, stubs)

import grpc  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402
from duban.agencies.v1 import agency_pb2, agency_service_pb2 as agencies  # noqa: E402
from duban.agencies.v1.agency_service_pb2_grpc import AgencyServiceStub  # noqa: E402
from duban.audit.v1 import stream_pb2 as stream  # noqa: E402
from duban.audit.v1.audit_service_pb2_grpc import AuditServiceStub  # noqa: E402
from duban.call.v1 import command_pb2 as call  # noqa: E402

SUPERVISOR = [("duban-actor", "python-1"), ("duban-role", "supervisor")]
AUDITOR = [("duban-actor", "python-2"), ("duban-role", "auditor")]
channel = grpc.insecure_channel(address, compression=grpc.Compression.Gzip)
service = AgencyServiceStub(channel)


def register(name, agency_id, request_id=None):
    context = call.CommandContext(request_id=request_id or str(uuid.uuid4()), effective_on="2020-01-01")
    request = agencies.RegisterAgencyRequest(
        context=context,
        agency_id=agency_id,
        full_name=name,
        kind=agency_pb2.AGENCY_KIND_CONSTITUENT_DEPARTMENT,
    )
    return service.RegisterAgency(request, metadata=SUPERVISOR, timeout=10)


def reason_of(error):
    for detail in rpc_status.from_call(error).details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            return info.reason
    raise AssertionError("every error has an ErrorInfo")


# Asked twice, written once, answered the same.
request_id = str(uuid.uuid4())
first = register("青海省财政厅", "finance", request_id)
assert first == register("青海省财政厅", "finance", request_id), "a retry gives the first answer"
assert first.receipt.first_position == first.receipt.last_position == 1, first.receipt

register("青海省教育厅", "education")
register("青海省水利厅", "water")

# Errors are branched on by code and reason.
for name, agency_id, code, reason in [
    ("青海省另一厅", "finance", grpc.StatusCode.ALREADY_EXISTS, "AGENCY_EXISTS"),
    ("青海省财政厅", "other", grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN"),
    ("", "empty", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
]:
    try:
        register(name, agency_id)
        raise AssertionError(f"{reason} expected")
    except grpc.RpcError as error:
        assert error.code() == code and reason_of(error) == reason, error

# Pages are walked.
names, token = [], ""
while True:
    page = service.ListAgencies(agencies.ListAgenciesRequest(page_size=2, page_token=token), metadata=AUDITOR)
    names += [agency.full_name for agency in page.agencies]
    token = page.next_page_token
    if not token:
        break
assert sorted(names) == sorted(["青海省财政厅", "青海省教育厅", "青海省水利厅"]), names

# The log is followed until it is caught up.
followed = []
for frame in AuditServiceStub(channel).Subscribe(stream.SubscribeRequest(), metadata=AUDITOR):
    if frame.WhichOneof("frame") == "events":
        followed += [event.position for event in frame.events.events]
    if frame.WhichOneof("frame") == "caught_up":
        break
assert followed == [1, 2, 3], followed
print(f"followed {len(followed)} events")
