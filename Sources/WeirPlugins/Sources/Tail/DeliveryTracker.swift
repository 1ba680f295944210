import Synchronization

/// Which bytes of a file are delivered: the position is where the first undelivered block begins.
final class DeliveryTracker: Sendable {
    private struct Block {
        var end: UInt64
        var isDelivered: Bool
    }

    private struct State {
        var position: UInt64
        var blocks: [Block] = []
        var firstNumber = 0
    }

    private let state: Mutex<State>

    init(position: UInt64) {
        state = Mutex(State(position: position))
    }

    /// The place up to which everything is delivered.
    var position: UInt64 { state.withLock { $0.position } }

    /// Whether nothing is under way.
    var isIdle: Bool { state.withLock { $0.blocks.isEmpty } }

    /// Notes that the bytes up to `end` are on their way.
    /// - Returns: The block's number, for ``deliver(_:)``.
    func begin(end: UInt64) -> Int {
        state.withLock { state in
            state.blocks.append(Block(end: end, isDelivered: false))
            return state.firstNumber + state.blocks.count - 1
        }
    }

    /// Notes that a block is delivered; the position moves when all before it are.
    func deliver(_ number: Int) {
        state.withLock { state in
            let index = number - state.firstNumber
            guard state.blocks.indices.contains(index) else { return }
            state.blocks[index].isDelivered = true
            var done = 0
            while done < state.blocks.count, state.blocks[done].isDelivered {
                state.position = state.blocks[done].end
                done += 1
            }
            state.blocks.removeFirst(done)
            state.firstNumber += done
        }
    }
}
