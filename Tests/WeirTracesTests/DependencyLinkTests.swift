import Testing
import WeirTesting

@testable import WeirTraces

/// The rules are those of `zipkin2.internal.DependencyLinker`.
@Suite("Links between services") struct DependencyLinkTests {
    private func span(
        _ id: UInt64, under parent: UInt64 = 0, _ kind: SpanKind = .none, at local: String = "",
        with remote: String = "", isError: Bool = false, isShared: Bool = false
    ) -> SpanRecord {
        var span = SpanRecord()
        span.traceID = TraceID(low: 1)
        span.id = id
        span.parentID = parent
        span.kind = kind
        span.local.service = local
        span.remote.service = remote
        span.isShared = isShared
        if isError { span.tags = [SpanRecord.Tag("error", "")] }
        return span
    }

    private func links(_ spans: SpanRecord...) -> [DependencyLink] {
        var linker = DependencyLinker()
        linker.add(trace: spans)
        return linker.links
    }

    private func link(_ parent: String, _ child: String, errors: Int = 0) -> DependencyLink {
        DependencyLink(parent: parent, child: child, callCount: 1, errorCount: errors)
    }

    @Test func `both halves of a call are one call`() {
        #expect(
            links(span(1, .client, at: "web", with: "app"), span(2, under: 1, .server, at: "app"))
                == [link("web", "app")])
        #expect(
            links(
                span(1, .client, at: "web"), span(1, .server, at: "app", isShared: true),
                span(2, under: 1, .client, at: "app", with: "db"))
                == [link("app", "db"), link("web", "app")])
    }

    @Test func `one half is enough where it knows the other`() {
        #expect(links(span(1, .client, at: "web", with: "db")) == [link("web", "db")])
        #expect(links(span(1, .server, at: "app", with: "web")) == [link("web", "app")])
        #expect(links(span(1, .server, at: "app")).isEmpty)
        #expect(links(span(1, .client, at: "web")).isEmpty)
        #expect(links(span(1, at: "web", with: "db")) == [link("web", "db")])
        #expect(links(span(1, at: "web")).isEmpty)
    }

    @Test func `steps within a service stand between without being calls`() {
        #expect(
            links(
                span(1, .server, at: "web"), span(2, under: 1, at: "web"),
                span(3, under: 2, .server, at: "app"))
                == [link("web", "app")])
    }

    @Test func `a service whose spans are missing is linked all the same`() {
        #expect(
            links(
                span(1, .server, at: "web"), span(2, under: 1, .client, at: "app", with: "db"))
                == [link("app", "db"), link("web", "app")])
    }

    @Test func `a failed call is one, whichever side says so`() {
        #expect(
            links(
                span(1, .client, at: "web", isError: true), span(2, under: 1, .server, at: "app"))
                == [link("web", "app", errors: 1)])
        #expect(
            links(
                span(1, .client, at: "web"),
                span(2, under: 1, .server, at: "app", isError: true))
                == [link("web", "app", errors: 1)])
    }

    @Test func `messages link to their broker from both sides`() {
        #expect(
            links(
                span(1, .producer, at: "shop", with: "queue"),
                span(2, under: 1, .consumer, at: "mailer", with: "queue"))
                == [link("queue", "mailer"), link("shop", "queue")])
        #expect(
            links(span(1, .producer, at: "shop"), span(2, under: 1, .consumer, at: "mailer"))
                .isEmpty)
    }

    @Test func `a circle of callers is no trap`() {
        let tree = SpanTree([
            span(1, under: 3, .server, at: "a"), span(2, under: 1, .server, at: "b"),
            span(3, under: 2, .server, at: "c"), span(4, under: 9),
        ])
        #expect(tree.spans.count == 4)
        #expect(tree.roots.count == 2)
    }

    @Test func `pieces of one span become one, the two sides stay two`() {
        var late = span(1, .client, at: "web")
        late.timestamp = 5
        late.duration = 7
        late.annotations = [.init(timestamp: 6, value: "x")]
        let merged = MergedTrace.merge([
            span(1, .client, at: "web", with: "app"), late, span(1, .server, at: "app"),
        ])
        #expect(merged.count == 2)
        #expect(merged[0].duration == 7 && merged[0].remote.service == "app")
        #expect(merged[0].annotations.count == 1)
        #expect(merged[1].isShared)
    }

    @Test func `any spans make some tree, and every one stands in it once`() {
        var generator = SeededGenerator(announcing: "trees of spans")
        let time = FuzzTime()
        while time.isLeft {
            let spans = (0..<generator.number(0...30)).map { _ in
                span(
                    UInt64(generator.number(1...8)), under: UInt64(generator.number(0...8)),
                    generator.pick(SpanKind.allCases), at: generator.pick(["", "a", "b"]),
                    with: generator.pick(["", "a", "c"]), isShared: generator.once(in: 3))
            }
            let tree = SpanTree(spans)
            #expect(tree.spans.count == spans.count)
            #expect(tree.spans.indices.allSatisfy { tree.depth(of: $0) < spans.count })
            var linker = DependencyLinker()
            linker.add(trace: spans)
            #expect(linker.links.allSatisfy { $0.errorCount <= $0.callCount })
        }
    }
}
