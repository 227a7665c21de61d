// A client that was generated from nothing: it asks the server for its contract and calls what it finds.
//
// Usage: node client.js HOST:PORT. Prints what it saw as JSON.
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { createRequire } from "node:module";

const descriptors = createRequire(import.meta.url)("protobufjs/ext/descriptor");
const protobuf = createRequire(import.meta.url)("protobufjs");

// What every server with reflection speaks (grpc.reflection.v1alpha), as far as it is used here.
const REFLECTION = `
syntax = "proto3";
package grpc.reflection.v1alpha;
service ServerReflection {
  rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
}
message ServerReflectionRequest {
  string host = 1;
  oneof message_request {
    string file_by_filename = 3;
    string file_containing_symbol = 4;
    string list_services = 7;
  }
}
message ServerReflectionResponse {
  oneof message_response {
    FileDescriptorResponse file_descriptor_response = 4;
    ListServiceResponse list_services_response = 6;
    ErrorResponse error_response = 7;
  }
}
message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
message ListServiceResponse { repeated ServiceResponse service = 1; }
message ServiceResponse { string name = 1; }
message ErrorResponse { int32 error_code = 1; string error_message = 2; }
`;
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: false };

function fromSource(source) {
  const root = protobuf.parse(source, { keepCase: true }).root;
  return fromSet(root.toDescriptor("proto3"));
}

function fromSet(set) {
  const buffer = Buffer.from(descriptors.FileDescriptorSet.encode(set).finish());
  return grpc.loadPackageDefinition(protoLoader.loadFileDescriptorSetFromBuffer(buffer, OPTIONS));
}

/** Asks one question after another over one stream. */
function reflect(client, questions) {
  return new Promise((resolve, reject) => {
    const answers = [];
    const stream = client.ServerReflectionInfo({ deadline: Date.now() + 20000 });
    stream.on("data", (answer) => {
      answers.push(answer);
      if (answers.length === questions.length) stream.end();
    });
    stream.on("end", () => resolve(answers));
    stream.on("error", reject);
    for (const question of questions) stream.write(question);
  });
}

function call(client, method, request) {
  return new Promise((resolve) => {
    client[method](request, { deadline: Date.now() + 20000 }, (error, answer) => resolve({ error, answer }));
  });
}

const address = process.argv[2];
const credentials = grpc.credentials.createInsecure();
const { ServerReflection } = fromSource(REFLECTION).grpc.reflection.v1alpha;
const asking = new ServerReflection(address, credentials);
const [listed, found] = await reflect(asking, [
  { list_services: "*" },
  { file_containing_symbol: "mnemic.v1.MemoryService" },
]);

const files = new Map();
let wanted = found.file_descriptor_response.file_descriptor_proto;
while (wanted.length) {
  const missing = new Set();
  for (const bytes of wanted) {
    const file = descriptors.FileDescriptorProto.decode(bytes);
    files.set(file.name, file);
  }
  for (const file of files.values()) for (const name of file.dependency) if (!files.has(name)) missing.add(name);
  const questions = [...missing].map((name) => ({ file_by_filename: name }));
  const answers = questions.length ? await reflect(asking, questions) : [];
  wanted = answers.flatMap((answer) => answer.file_descriptor_response.file_descriptor_proto);
}
const { MemoryService } = fromSet({ file: [...files.values()] }).mnemic.v1;

const memories = new MemoryService(address, credentials);
const scope = { user_id: "node" };
const added = await call(memories, "AddMemories", { scope, texts: ["Ada keeps bees on the roof", "It rained in Oslo"] });
const searched = await call(memories, "SearchMemories", { scope, query: "who keeps bees", top_k: 1, explain: true });
const got = await call(memories, "GetMemory", { memory_id: searched.answer?.hits[0].memory_id });
const refused = await call(memories, "SearchMemories", { scope: {}, query: "bees" });
const details = refused.error.metadata.get("grpc-status-details-bin")[0];

process.stdout.write(
  JSON.stringify({
    services: listed.list_services_response.service.map((service) => service.name),
    added: added.answer?.memories.length,
    revision: added.answer?.revision,
    body: searched.answer?.hits[0].body,
    signals: Object.keys(searched.answer?.hits[0].score_parts ?? {}),
    same: got.answer?.memory.body,
    refusal: { code: refused.error.code, details: details?.toString("latin1") },
  }),
);
process.exit(0);
