"""What surrounds the calls: health, reflection, ids, limits, compression, and methods that are not there."""

import grpc
from deployments import MAX_MESSAGE_BYTES
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from memory_scenarios import add
from wire import documented_difference, foreign, guarded_scenario, scenario

from mnemic.engine.settings import ServerSettings
from mnemic.v1 import memory_service_pb2 as pb
from mnemic.v1 import resources_pb2

SERVICES = ["mnemic.v1.MemoryService", "mnemic.v1.LifecycleService", "mnemic.v1.AdminService"]
CHECK = foreign("/grpc.health.v1.Health/Check", health_pb2.HealthCheckResponse)
WATCH = foreign("/grpc.health.v1.Health/Watch", health_pb2.HealthCheckResponse)
REFLECT = foreign(
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    reflection_pb2.ServerReflectionResponse,
    is_stream=True,
)
UNKNOWN = [
    foreign("/mnemic.v1.MemoryService/ForgetEverything", None),
    foreign("/mnemic.v2.MemoryService/AddMemories", None),
    foreign("/x", None),
    foreign("/grpc.health.v1.Health/List", None),
    foreign("/" + "x" * 4000, None),
]


@scenario
def every_service_is_healthy_and_others_are_unknown(wire):
    for service in ("", *SERVICES):
        for credential in (None, ""):
            answer = wire.call(CHECK, health_pb2.HealthCheckRequest(service=service), credential=credential)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    refusal = wire.refused(CHECK, health_pb2.HealthCheckRequest(service="mnemic.v1.Other"))
    assert refusal.code is grpc.StatusCode.NOT_FOUND


@scenario
def a_watcher_of_health_is_told_at_once_also_of_an_unknown_service(wire):
    answers = health_pb2.HealthCheckResponse
    for service, status in (("", answers.SERVING), (SERVICES[0], answers.SERVING), ("x", answers.SERVICE_UNKNOWN)):
        assert wire.first(WATCH, health_pb2.HealthCheckRequest(service=service)).status == status


@scenario
def bytes_that_are_no_request_for_health_are_refused(wire):
    for data in (b"\xff", b"\x0a\xff"):
        assert wire.refused(CHECK, data).code is grpc.StatusCode.INVALID_ARGUMENT


@scenario
def reflection_lists_the_services_and_describes_them(wire):
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="mnemic.v1.MemoryService"),
        reflection_pb2.ServerReflectionRequest(file_by_filename="mnemic/v1/query.proto"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="mnemic.v1.Nothing"),
    ]
    listed, service, file, absent = wire.call(REFLECT, requests)
    names = {item.name for item in listed.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} < names
    files = [FileDescriptorProto.FromString(data) for data in service.file_descriptor_response.file_descriptor_proto]
    assert "mnemic/v1/memory_service.proto" in {item.name for item in files}
    assert file.file_descriptor_response.file_descriptor_proto
    assert absent.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@scenario
def a_method_that_is_not_there_is_unimplemented(wire):
    for path in UNKNOWN:
        refusal = wire.refused(path, b"")
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")


@guarded_scenario
def whoever_is_unknown_does_not_learn_which_methods_there_are(wire):
    for path in UNKNOWN:
        assert wire.refused(path, b"", credential="").code is grpc.StatusCode.UNAUTHENTICATED


@guarded_scenario
def reflection_needs_a_credential(wire):
    request = [reflection_pb2.ServerReflectionRequest(list_services="")]
    assert wire.refused(REFLECT, request, credential="").reason == "UNAUTHENTICATED"


@scenario
def a_message_that_is_too_large_is_told_the_limit_and_its_size(wire):
    adding = pb.AddMemoriesRequest(scope=wire.scope(), texts=["x" * 32_000] * 40)
    searching = pb.SearchMemoriesRequest(scope=wire.scope(), query="x" * (MAX_MESSAGE_BYTES + 1))
    for method, request in (("AddMemories", adding), ("SearchMemories", searching)):
        refusal = wire.refused(method, request)
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(MAX_MESSAGE_BYTES) in refusal.message
        assert str(request.ByteSize()) in refusal.message
    answers = wire.refused("IngestMemories", [pb.IngestMemoriesRequest(add=adding)])
    assert answers.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@documented_difference(
    "words", "metadata", because="grpcio refuses it before it is a call: in its own words, without an id"
)
@scenario
def metadata_of_a_call_that_is_too_large_is_refused(wire):
    limit = ServerSettings().max_metadata_bytes
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="tea")
    for method, request in (("SearchMemories", search), ("ListScopes", pb.ListScopesRequest())):
        refusal = wire.refused(method, request, metadata=(("x-large", "x" * (limit + 1)),))
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(limit) in refusal.message


@scenario
def a_compressed_request_is_read(wire):
    add(wire, "Anna likes tea. " * 50)
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="tea " * 100)
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        assert wire.SearchMemories(search, compression=compression).hits
        scopes = pb.ListScopesRequest(scope=resources_pb2.Scope(user_id=wire.scope().user_id))
        assert wire.ListScopes(scopes, compression=compression).scopes


@scenario
def unknown_fields_of_a_request_are_passed_over(wire):
    add(wire, "Anna likes tea.")
    unknown = b"\xc2\x3e\x03abc"  # field 1000, of bytes
    search = pb.SearchMemoriesRequest(scope=wire.scope(), query="tea").SerializeToString() + unknown
    assert wire.SearchMemories(search).hits
    assert wire.ListMemories(pb.ListMemoriesRequest(scope=wire.scope()).SerializeToString() + unknown).memories
