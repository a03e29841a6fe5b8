import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type DescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthProtoPath } from 'grpc-health-check';
import { protoFolder } from '#lib/contracts';

/**
 * Serves reflection of the given services and of health, so that grpcurl and its like need no files.
 * @param protoFiles  below `proto/`: the generated code carries no descriptors, they come from the files
 * @param services  full names to list
 */
export function addReflection(server: Server, protoFiles: readonly string[], services: readonly string[]): void {
  const loaded = {
    ...loadSync([...protoFiles], { includeDirs: [protoFolder()], keepCase: true }),
    ...loadSync(healthProtoPath, { keepCase: true }),
  };
  const listed = [...services, 'grpc.health.v1.Health'];
  new ReflectionService(asProtocDescribes(loaded), { services: listed }).addToServer(server);
}

/**
 * What protobufjs leaves out of descriptors: it names the hidden message of a map field after the field alone (`Logit_bias`),
 * where the language asks for `LogitBiasEntry` and clients in Go refuse anything else; and fields have no JSON names.
 */
function asProtocDescribes(loaded: PackageDefinition): PackageDefinition {
  const corrected = new Map<Buffer, Buffer>();
  return Object.fromEntries(
    Object.entries(loaded).map(([name, definition]) => {
      const { fileDescriptorProtos: files } = definition;
      if (!Array.isArray(files)) return [name, definition]; // a service
      const fileDescriptorProtos = files.map((bytes) => {
        if (!corrected.has(bytes)) corrected.set(bytes, correct(bytes));
        return corrected.get(bytes) as Buffer;
      });
      return [name, { ...definition, fileDescriptorProtos }];
    }),
  );
}

function correct(bytes: Buffer): Buffer {
  const file = fromBinary(FileDescriptorProtoSchema, bytes);
  for (const message of file.messageType) correctMessage(message);
  return Buffer.from(toBinary(FileDescriptorProtoSchema, file));
}

function correctMessage(message: DescriptorProto): void {
  for (const field of message.field) field.jsonName = field.name.replace(/_([a-z0-9])/g, upperCase);
  for (const nested of message.nestedType) {
    correctMessage(nested);
    if (!nested.options?.mapEntry) continue;
    const field = message.field.find((candidate) => candidate.typeName.split('.').at(-1) === nested.name);
    if (field === undefined) continue;
    const parent = field.typeName.slice(0, -nested.name.length);
    nested.name = `${field.name.replace(/(?:^|_)([a-z0-9])/g, upperCase)}Entry`;
    field.typeName = `${parent}${nested.name}`;
  }
}

function upperCase(_match: string, letter: string): string {
  return letter.toUpperCase();
}
