import CShims
import Testing

@Suite("The pages of code") struct CodePagesTests {
    @Test func `are let go while the program runs on`() {
        #expect(weir_release_code() > 1 << 20)
        #expect([3, 1, 2].sorted() == [1, 2, 3])
        #expect(weir_release_code() > 1 << 20)
    }
}
