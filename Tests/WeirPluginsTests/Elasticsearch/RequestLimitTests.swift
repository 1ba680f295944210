import Testing

@testable import WeirPlugins

@Suite("The limit of a request") struct RequestLimitTests {
    private let mebibyte = 1 << 20

    @Test func `is the user's, or none`() {
        #expect(RequestLimit(nil).byteCount == nil)
        #expect(RequestLimit(5 * mebibyte).byteCount == 5 * mebibyte)
    }

    @Test func `is half of what was too much`() {
        let limit = RequestLimit(nil)
        limit.shrink(from: 8 * mebibyte)
        #expect(limit.byteCount == 4 * mebibyte)
        limit.shrink(from: 4 * mebibyte)
        #expect(limit.byteCount == 2 * mebibyte)
    }

    @Test func `does not shrink below what is worth a request`() {
        let limit = RequestLimit(nil)
        limit.shrink(from: 100)
        #expect(limit.byteCount == RequestLimit.floor)
    }

    @Test func `never grows beyond the user's`() {
        let limit = RequestLimit(3 * mebibyte)
        limit.shrink(from: 16 * mebibyte)
        #expect(limit.byteCount == 3 * mebibyte)
        limit.shrink(from: 2 * mebibyte)
        #expect(limit.byteCount == mebibyte)
        limit.grow()
        #expect(limit.byteCount == 2 * mebibyte)
        limit.grow()
        limit.grow()
        #expect(limit.byteCount == 3 * mebibyte)
        let small = RequestLimit(1000)
        small.shrink(from: 900)
        #expect(small.byteCount == 1000)
    }

    @Test func `is forgotten after enough successes`() {
        let limit = RequestLimit(nil)
        limit.shrink(from: 100)
        var growths = 0
        while limit.byteCount != nil, growths < 100 {
            limit.grow()
            growths += 1
        }
        #expect(growths == 11)
        limit.grow()
        #expect(limit.byteCount == nil)
    }
}
