import CShims
import Glibc
import WeirCore

/// A program that a test runs: started, signalled, waited for.
public final class ChildProcess: Sendable {
    /// Why it could not be started.
    public struct Problem: Error, CustomStringConvertible {
        /// The system's words.
        public var description: String
    }

    /// The process's number.
    public let pid: pid_t

    /// Starts a program; its output goes to `log`, what it was given and the test's environment to it.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], log: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // A child that kept the test's listening sockets open would hold their ports.
        weir_close_from(&actions, 3)
        var texts: [String] = environment.map { "\($0)=\($1)" }
        var place = environ
        while let entry = place.pointee {
            let text = String(cString: entry)
            let name = text.prefix { $0 != "=" }
            if environment[String(name)] == nil { texts.append(text) }
            place += 1
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        var variables: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        words.append(nil)
        variables.append(nil)
        defer { for word in words + variables { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, program, &actions, nil, words, variables)
        guard result == 0 else {
            throw Problem(description: "\(program): \(String(cString: strerror(result)))")
        }
        pid = child
    }

    /// Sends a signal.
    public func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end.
    /// - Returns: Its exit code, or 128 and the signal that ended it.
    @discardableResult
    public func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            if errno != EINTR { return -1 }
        }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// Ends it at once.
    @discardableResult
    public func kill9() -> Int32 {
        signal(SIGKILL)
        return wait()
    }
}

/// Programs that tests run.
public enum TestPrograms {
    /// The `weir` that was built together with the tests.
    public static let weir: String = {
        var room = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &room, room.count - 1)
        let path = String(
            decoding: room.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let beside = path.split(separator: "/").dropLast().joined(separator: "/")
        // The test runner may be a program of the toolchain: then the build folder is the usual one.
        let candidate = "/\(beside)/weir"
        return access(candidate, X_OK) == 0 ? candidate : "\(SourceTree.root)/.build/debug/weir"
    }()

    /// A real Envoy, if `make deps-test` has installed it.
    public static let envoy: String? = {
        var found = glob_t()
        defer { globfree(&found) }
        let pattern =
            "\(SourceTree.root)/.cache/python/lib/python3*/site-packages/envoy/_bin/envoy"
        guard glob(pattern, 0, nil, &found) == 0, let first = found.gl_pathv[0] else { return nil }
        return String(cString: first)
    }()

    /// A real Prometheus, if `make deps-test` has found one.
    public static let prometheus = extracted("prometheus")

    /// Its tool, if `make deps-test` has found it.
    public static let promtool = extracted("promtool")

    /// The tool of a real Alertmanager, if `make deps-test` has found it.
    public static let amtool = extracted("amtool")

    /// A real Alertmanager, if `make deps-test` has found one and it can be run without being installed.
    public static let alertmanager: String? = {
        // It looks for its templates at a place of the system, which is made for it alone.
        let probe = try? ChildProcess(
            "/usr/bin/unshare",
            ["--map-root-user", "--mount", "/bin/mount", "-t", "tmpfs", "none", "/usr/share"],
            log: "/dev/null")
        guard probe?.wait() == 0 else { return nil }
        return extracted("prometheus-alertmanager")
    }()

    /// The Python of one of the tests' own environments, if `make deps-test` has made it with some
    /// modules: their folders in `site-packages`.
    public static func python(
        with modules: String..., in environment: String = "python"
    ) -> String? {
        let folder = "\(SourceTree.root)/.cache/\(environment)"
        for module in modules {
            var found = glob_t()
            defer { globfree(&found) }
            let pattern = "\(folder)/lib/python3*/site-packages/\(module)"
            guard glob(pattern, 0, nil, &found) == 0 else { return nil }
        }
        return "\(folder)/bin/python"
    }

    private static func extracted(_ name: String) -> String? {
        let path = "\(SourceTree.root)/.cache/programs/usr/bin/\(name)"
        return access(path, X_OK) == 0 ? path : nil
    }
}
