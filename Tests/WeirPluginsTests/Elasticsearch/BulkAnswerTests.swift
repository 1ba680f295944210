import Testing
import WeirCore

@testable import WeirPlugins

@Suite("A bulk answer") struct BulkAnswerTests {
    private func read(_ items: [String], errors: Bool, itemCount: Int? = nil) -> BulkAnswer {
        read(
            "{\"took\":30,\"errors\":\(errors),\"items\":[\(items.joined(separator: ","))]}",
            itemCount: itemCount ?? items.count)
    }

    private func read(_ text: String, itemCount: Int) -> BulkAnswer {
        var text = text
        return text.withUTF8 {
            BulkAnswer.read(UnsafeRawBufferPointer($0), itemCount: itemCount).answer
        }
    }

    private func stored(_ status: Int = 201) -> String {
        "{\"create\":{\"_index\":\"a\",\"_id\":\"1\",\"_version\":1,\"result\":\"created\","
            + "\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0},\"status\":\(status)}}"
    }

    private func failed(
        _ status: Int, _ error: String = "null", action: String = "create"
    ) -> String {
        "{\"\(action)\":{\"_index\":\"a\",\"status\":\(status),\"error\":\(error)}}"
    }

    @Test func `of items that are all stored says so`() {
        #expect(read([stored(), stored(200), stored(299)], errors: false) == .allDone)
        #expect(read([], errors: false) == .allDone)
        let spaced = "{ \"errors\" : false,\n\"items\" : [ {\"index\" : {\"status\" : 200 } } ] }\n"
        #expect(read(spaced, itemCount: 1) == .allDone)
    }

    @Test func `of the usual form is seen to be sound without reading values`() {
        let items = [stored(), stored()].joined(separator: ",")
        var text = "{\"took\":30,\"errors\":false,\"items\":[\(items)]}"
        #expect(
            text.withUTF8 {
                BulkAnswerSkimmer.saysAllStored(UnsafeRawBufferPointer($0), itemCount: 2)
            })
    }

    @Test(arguments: [429, 500, 502, 503, 504])
    func `sends an item again of which the cluster had too much`(status: Int) {
        let error = "{\"type\":\"es_rejected_execution_exception\",\"reason\":\"queue is full\"}"
        #expect(
            read([stored(), failed(status, error), stored()], errors: true)
                == .some(
                    retry: [1], rejected: [],
                    reason: "\(status) es_rejected_execution_exception queue is full"))
    }

    @Test func `refuses an item that will never be stored, in Elasticsearch's words`() {
        let error =
            "{\"type\":\"mapper_parsing_exception\",\"reason\":\"failed to parse field [a]\","
            + "\"caused_by\":{\"type\":\"x\",\"reason\":\"For input string\"}}"
        let reason =
            "400 mapper_parsing_exception failed to parse field [a]: For input string"
        #expect(
            read([failed(400, error), stored(), failed(404), failed(400, "\"old\"")], errors: true)
                == .some(
                    retry: [],
                    rejected: [
                        BulkAnswer.Rejected(index: 0, reason: reason),
                        BulkAnswer.Rejected(index: 2, reason: "404"),
                        BulkAnswer.Rejected(index: 3, reason: "400 old"),
                    ], reason: ""))
    }

    @Test func `takes a document that is there for stored, if it was to be created`() {
        var text = "{\"errors\":true,\"items\":[\(failed(409)),\(stored())]}"
        let read = text.withUTF8 { BulkAnswer.read(UnsafeRawBufferPointer($0), itemCount: 2) }
        #expect(read.answer == .allDone)
        #expect(read.duplicateCount == 1)
        #expect(
            self.read([failed(409, action: "index")], errors: true)
                == .some(
                    retry: [], rejected: [BulkAnswer.Rejected(index: 0, reason: "409")], reason: "")
        )
    }

    @Test func `is believed item by item, whatever it says of errors as a whole`() {
        #expect(
            read([failed(503), stored()], errors: false)
                == .some(retry: [0], rejected: [], reason: "503"))
        #expect(read([stored(), stored()], errors: true) == .allDone)
    }

    @Test(arguments: [
        "", "{}", "null", "<html>502</html>", "{\"items\":{}}", "{\"errors\":false,\"items\":[]}",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}}]}}",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":\"201\"}}]}",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":201.5}}]}",
        "{\"errors\":false,\"items\":[{\"create\":{}}]}", "{\"errors\":false,\"items\":[201]}",
        "{\"errors\":false,\"items\":[{\"create\":{\"_shards\":{\"status\":201}}}]}",
        "{\"errors\":false,\"items\":[],\"x\":[{\"create\":{\"status\":201}}]}",
        "{\"errors\":false,\"items\":[{\"a\":{\"status\":201},\"b\":{\"status\":503}}]}",
        "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":201}}]}",
    ])
    func `that does not tell of the one item that was sent is none`(text: String) {
        guard case .unreadable = read(text, itemCount: 1) else {
            Issue.record("taken for an answer")
            return
        }
    }

    @Test(arguments: [2010, 20, 2, 302, 600, -200])
    func `with a status that is neither success nor refusal is none`(status: Int) {
        #expect(
            read([stored(status)], errors: false)
                == .unreadable("item 0 of the answer has status \(status)"))
    }
}
