import Testing
import WeirAgent
import WeirTesting

@Suite("Every pipeline folder") struct PipelineFolderTests {
    @Test(
        "gives what it is expected to",
        arguments: [
            "istio-guide", "envoy-to-elasticsearch", "istio-metrics", "kubernetes-daemonset",
        ])
    func folder(_ name: String) {
        let outcome = PipelineTest(folder: "\(SourceTree.root)/pipelines/\(name)").run()
        guard case .passed(let count) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(count > 10)
    }
}

@Suite("A pipeline's test") struct PipelineTestTests {
    private func folder(expected: String?) throws -> ScratchFolder {
        let folder = try ScratchFolder()
        folder.write(
            """
            <source>
              @type tail
              path /logs/a.log
              tag a
              <parse>
                @type json
              </parse>
            </source>
            <match **>
              @type null
              @id end
            </match>
            """, to: "weir.conf")
        folder.makeFolder("input")
        folder.makeFolder("input/logs")
        folder.makeFolder("expected")
        folder.write("{\"n\":1}\n{\"n\":2}\n", to: "input/logs/a.log")
        if let expected { folder.write(expected, to: "expected/end.jsonl") }
        return folder
    }

    private static let time = "2026-01-01T00:00:00.000000000+00:00"

    @Test func `passes when every event is as expected, however its JSON is written`() throws {
        let folder = try folder(
            expected: (1...2).map {
                "{\"tag\": \"a\", \"record\": {\"n\": \($0)}, \"time\": \"\(Self.time)\"}\n"
            }.joined())
        guard case .passed(2) = PipelineTest(folder: folder.path).run() else {
            Issue.record("it fails")
            return
        }
    }

    @Test(
        "says which event differs",
        arguments: [
            ("{\"tag\":\"a\",\"time\":\"\(time)\",\"record\":{\"n\":1}}\n", "one event too many"),
            ("{\"tag\":\"b\",\"time\":\"\(time)\",\"record\":{\"n\":1}}\n", "another event"),
            (
                (1...3).map { "{\"tag\":\"a\",\"time\":\"\(time)\",\"record\":{\"n\":\($0)}}\n" }
                    .joined(), "an event is missing"
            ),
        ])
    func differences(_ expected: String, _ message: String) throws {
        let folder = try folder(expected: expected)
        guard case .failed(let problems) = PipelineTest(folder: folder.path).run() else {
            Issue.record("it passes")
            return
        }
        #expect(problems.joined().contains(message))
    }

    @Test func `says that an output has no expected file, and what is broken`() throws {
        let unexpected = try folder(expected: nil)
        guard case .failed(let problems) = PipelineTest(folder: unexpected.path).run() else {
            Issue.record("it passes")
            return
        }
        #expect(problems.first?.contains("end received 2 events") == true)
        let broken = try folder(expected: nil)
        broken.write("<source>\n", to: "weir.conf")
        guard case .failed = PipelineTest(folder: broken.path).run() else {
            Issue.record("it passes")
            return
        }
    }
}
