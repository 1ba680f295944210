import Synchronization
import Testing
import WeirCore
import WeirMetrics

@testable import WeirPipeline

/// A filter that sets a field, drops rows or refuses them by the record's `k`.
private final class MarkingFilter: Filter {
    let name: String

    init(_ name: String) { self.name = name }

    func apply(to batch: EventBatch, refused: (Int, String) -> Void) {
        var reader = ColumnReader("k", in: batch)
        let column = batch.editColumn(name)
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let value = batch.value(of: reader.slot(row: row, in: batch))
            if value == .string("drop") { batch.drop(row: row) }
            if value == .string("fail") {
                batch.drop(row: row)
                refused(row, "it says fail")
            }
            batch.edit(column: column, row: row, to: Slot(.yes, offset: 0, length: 0))
        }
    }
}

@Suite("The router") struct RouterTests {
    private let refusals = CollectedRefusals()
    private let registry = Registry()

    private func router(_ labels: [String: [Rule]]) -> Router {
        Router(labels: labels, deadLetter: refusals, registry: registry, log: { _ in })
    }

    private func match(_ tag: String, _ node: OutputNode) -> Rule {
        Rule(matches: { $0 == tag || tag == "**" }, action: .match(node))
    }

    private func filter(_ tag: String, _ name: String) -> Rule {
        Rule(
            matches: { $0 == tag || tag == "**" },
            action: .filter(FilterStage(name: name, filter: MarkingFilter(name))))
    }

    @Test func `applies the filters before the first match, in order, and stops there`() {
        let first = CollectingOutput()
        let second = CollectingOutput()
        let router = router([
            Router.rootLabel: [
                filter("**", "f1"), filter("a", "f2"), match("a", .output(first)),
                filter("**", "f3"), match("**", .output(second)),
            ]
        ])
        let deliveries = Deliveries()
        router.entry().emit(makeBatch([#"{"k":1}"#], tag: "a"), ticket: deliveries.ticket())
        router.entry().emit(makeBatch([#"{"k":2}"#], tag: "b"), ticket: deliveries.ticket())
        #expect(first.records == [#"a {"k":1,"f1":true,"f2":true}"#])
        #expect(second.records == [#"b {"k":2,"f1":true,"f3":true}"#])
    }

    @Test func `gives every store of a copy its own events, whatever filters stand behind a label`()
    {
        let plain = CollectingOutput()
        let marked = CollectingOutput()
        let router = router([
            Router.rootLabel: [match("**", .copy([.relabel("@L"), .output(plain)]))],
            "@L": [filter("**", "f"), match("**", .output(marked))],
        ])
        let batch = makeBatch([#"{"k":"drop"}"#, #"{"k":"x"}"#])
        router.entry().emit(batch, ticket: Deliveries().ticket())
        #expect(plain.records == [#"t {"k":"drop"}"#, #"t {"k":"x"}"#])
        #expect(marked.records == [#"t {"k":"x","f":true}"#])
    }

    @Test func `sends what a filter fails on to @ERROR once, and only there`() {
        let good = CollectingOutput()
        let bad = CollectingOutput()
        let router = router([
            Router.rootLabel: [filter("**", "f"), match("**", .output(good))],
            Router.errorLabel: [match("**", .output(bad))],
        ])
        router.entry().emit(
            makeBatch([#"{"k":"fail"}"#, #"{"k":"y"}"#]), ticket: Deliveries().ticket())
        #expect(good.records == [#"t {"k":"y","f":true}"#])
        #expect(bad.records.count == 1)
        #expect(bad.records.first?.hasPrefix(#"t {"k":"fail""#) == true)
        #expect(refusals.all.isEmpty)
    }

    @Test
    func `keeps failures in the dead letter when there is no @ERROR, or when it fails itself`() {
        let good = CollectingOutput()
        let without = router([
            Router.rootLabel: [filter("**", "f"), match("**", .output(good))]
        ])
        without.entry().emit(makeBatch([#"{"k":"fail"}"#]), ticket: Deliveries().ticket())
        #expect(refusals.all.map(\.reason) == ["it says fail"])
        let circular = router([
            Router.rootLabel: [filter("**", "f"), match("**", .output(good))],
            Router.errorLabel: [filter("**", "g"), match("**", .output(good))],
        ])
        circular.entry().emit(makeBatch([#"{"k":"fail"}"#]), ticket: Deliveries().ticket())
        #expect(refusals.all.map(\.component) == ["f", "g"])
    }

    @Test func `admits a tag only when all its outputs have room, @ERROR's too`() {
        let good = CollectingOutput()
        let bad = CollectingOutput()
        let router = router([
            Router.rootLabel: [match("a", .output(good)), match("b", .relabel("@L"))],
            "@L": [match("**", .output(good))],
            Router.errorLabel: [match("**", .output(bad))],
        ])
        #expect(router.entry().admits(tag: "a"))
        good.hasRoom.store(false, ordering: .relaxed)
        #expect(!router.entry().admits(tag: "a"))
        #expect(!router.entry().admits(tag: "b"))
        good.hasRoom.store(true, ordering: .relaxed)
        bad.hasRoom.store(false, ordering: .relaxed)
        #expect(!router.entry().admits(tag: "a"))
    }

    @Test func `counts events that no match takes, and ends a circle of labels`() {
        let router = router([
            Router.rootLabel: [match("c", .relabel("@L"))], "@L": [match("**", .relabel("@L"))],
        ])
        router.entry().emit(makeBatch([#"{"k":1}"#], tag: "x"), ticket: Deliveries().ticket())
        router.entry().emit(makeBatch([#"{"k":1}"#], tag: "c"), ticket: Deliveries().ticket())
        #expect(registry.textExposition().contains("weir_router_unmatched_events_total 2"))
    }
}
