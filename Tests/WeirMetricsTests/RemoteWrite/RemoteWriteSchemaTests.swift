import Testing
import WeirCore
import WeirTesting

@testable import WeirMetrics

/// Holds requests against Google's own reader of protocol buffers, with the protocol's schemas.
@Suite("A request of remote write, read by python's protobuf") struct RemoteWriteSchemaTests {
    /// Reads each file, throws away what the schema does not know, and writes it again: the bytes must
    /// be the same, in the order of the fields' numbers.
    private static let program = """
        import sys
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        T = descriptor_pb2.FieldDescriptorProto
        types = {'double': 1, 'int64': 3, 'uint64': 4, 'string': 9, 'uint32': 13, 'sint32': 17,
                 'sint64': 18, 'int32': 5}
        histogram = '''count 1 uint64!, sum 3 double, schema 4 sint32, zero_threshold 5 double,
            zero_count 6 uint64!, negative_spans 8 Span*, negative_deltas 9 sint64*,
            positive_spans 11 Span*, positive_deltas 12 sint64*, reset_hint 14 int32,
            timestamp 15 int64, start_timestamp 17 int64'''
        schemas = {
            'one': {
                'Request': 'timeseries 1 Series*, metadata 3 Metadata*',
                'Metadata': 'type 1 int32, name 2 string, help 4 string, unit 5 string',
                'Series': 'labels 1 Label*, samples 2 Sample*, exemplars 3 Exemplar*, '
                    'histograms 4 Histogram*',
                'Label': 'name 1 string, value 2 string',
                'Sample': 'value 1 double, timestamp 2 int64',
                'Exemplar': 'labels 1 Label*, value 2 double, timestamp 3 int64',
                'Span': 'offset 1 sint32, length 2 uint32', 'Histogram': histogram,
            },
            'two': {
                'Request': 'symbols 4 string*, timeseries 5 Series*',
                'Series': 'labels_refs 1 uint32*, samples 2 Sample*, histograms 3 Histogram*, '
                    'exemplars 4 Exemplar*, metadata 5 Metadata, created_timestamp 6 int64',
                'Metadata': 'type 1 int32, help_ref 3 uint32, unit_ref 4 uint32',
                'Sample': 'value 1 double, timestamp 2 int64, start_timestamp 3 int64',
                'Exemplar': 'labels_refs 1 uint32*, value 2 double, timestamp 3 int64',
                'Span': 'offset 1 sint32, length 2 uint32', 'Histogram': histogram,
            },
        }
        def request(package):
            file = descriptor_pb2.FileDescriptorProto(
                name=package, package=package, syntax='proto3')
            for name, fields in schemas[package].items():
                message = file.message_type.add(name=name)
                for text in fields.split(','):
                    field, number, kind = text.split()
                    added = message.field.add(
                        name=field, number=int(number), label=3 if kind.endswith('*') else 1)
                    word = kind.rstrip('*!')
                    if word in types:
                        added.type = types[word]
                    else:
                        added.type, added.type_name = 11, f'.{package}.{word}'
                    if kind.endswith('!'):
                        added.oneof_index = len(message.oneof_decl)
                        message.oneof_decl.add(name='of_' + field)
            pool = descriptor_pool.DescriptorPool()
            pool.Add(file)
            return message_factory.GetMessageClass(
                pool.FindMessageTypeByName(package + '.Request'))
        for name in sys.argv[2:]:
            body = open(f'{sys.argv[1]}/{name}', 'rb').read()
            message = request(name.split('.')[0])()
            message.ParseFromString(body)
            message.DiscardUnknownFields()
            if not message.timeseries and not getattr(message, 'metadata', None):
                sys.exit(f'{name} is empty')
            if message.SerializeToString(deterministic=True) != body:
                sys.exit(f'{name} is written otherwise')
        """

    @Test func `has the fields of the schema and no others`() throws {
        guard let python = TestPrograms.python(with: "google/protobuf") else {
            print("skipped: python's protobuf is not there; run `make deps-test`")
            return
        }
        let rig = try SeriesRig(
            labels: ["l"],
            families: [
                FamilyDeclaration(name: "a_total", help: "A.", kind: .counter),
                FamilyDeclaration(name: "b", help: "", kind: .gauge),
                FamilyDeclaration(name: "c_seconds", help: "C.", unit: "seconds", kind: .summary),
                FamilyDeclaration(name: "d", help: "D.", kind: .histogram(bounds: [0, 10])),
                FamilyDeclaration(name: "e", help: "E.", kind: .nativeHistogram()),
            ], idleTime: .seconds(10))
        let id = Array("ab".utf8)
        for (number, label) in ["", "x", "ü"].enumerated() {
            rig.update([Array(label.utf8)], at: 5 * Int64(number)) { table, index in
                for value in [-3, 0, 0.5, .infinity, .nan, Double(number)] {
                    id.withUnsafeBytes { id in
                        let exemplar = Exemplar(.requestID, id, milliseconds: 77)
                        table.add(1 << 60, to: index, family: 0, exemplar: exemplar)
                        table.observe(value, at: index, family: 3, exemplar: exemplar)
                        table.observe(value, at: index, family: 4, exemplar: exemplar)
                    }
                    table.set(value, at: index, family: 1)
                    table.observe(value, at: index, family: 2)
                }
            }
        }
        let folder = try ScratchFolder()
        var names: [String] = []
        for version in RemoteWriteVersion.allCases {
            var options = RemoteWriteSampler.Options()
            options.version = version
            options.sampleLimit = 20
            let sampler = RemoteWriteSampler(rig.registry, options)
            let take = { (request: RemoteWriteRequest) in
                names.append("\(version).\(names.count)")
                folder.write(
                    SnappyDecoder.bytes(of: request.body) ?? [], to: names[names.count - 1])
            }
            _ = sampler.sample(now: Timestamp(seconds: 11), take)
            // All but one are gone now.
            _ = sampler.sample(now: Timestamp(seconds: 20), take)
            sampler.end(now: Timestamp(seconds: 20), take)
            rig.update([Array("x".utf8)], at: 20) { table, index in
                table.observe(1, at: index, family: 4)
            }
        }
        let check = try ChildProcess(
            python, ["-c", Self.program, folder.path] + names, log: folder.file("python.log"))
        #expect(check.wait() == 0)
        let said = String(decoding: folder.contents(of: "python.log") ?? [], as: UTF8.self)
        #expect(said == "", "\(said)")
        #expect(names.count > 5)
    }
}
