import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPipeline
@testable import WeirPlugins

/// Certificates that live as long as the tests, and programs that speak TLS with them.
private final class Certificates: Sendable {
    static let shared = try? Certificates()
    static let areThere =
        access("/usr/bin/openssl", X_OK) == 0 && access("/usr/bin/python3", X_OK) == 0

    let folder: ScratchFolder

    /// An authority, a server's certificate for 127.0.0.1, one for another name, and a client's with
    /// its key, plain and under a passphrase.
    private static let script = """
        set -e
        curve="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        openssl req -x509 $curve -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
        make() {
          openssl req $curve -subj "/CN=$1" -addext "subjectAltName=$2" -keyout $1.key -out $1.csr
          openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -copy_extensions copy -out $1.pem
        }
        make server IP:127.0.0.1
        make other DNS:elsewhere.example
        make client DNS:client.example
        openssl ec -aes256 -passout pass:secret -in client.key -out client-secret.key
        """

    struct Failure: Error {}

    private init() throws {
        folder = try ScratchFolder()
        folder.write("cd \(folder.path)\n\(Self.script)", to: "make.sh")
        let shell = try ChildProcess("/bin/sh", [folder.file("make.sh")], log: folder.file("log"))
        guard shell.wait() == 0 else { throw Failure() }
    }
}

/// A stand-in behind TLS.
private final class SecureStandIn {
    let standIn: ElasticsearchStandIn
    let certificates: Certificates
    let port: Int
    private let folder: ScratchFolder
    private let proxy: ChildProcess

    init(certificate: String = "server", asksClients: Bool = false, version: String = "1.3") throws
    {
        certificates = try #require(Certificates.shared, "openssl makes certificates")
        standIn = try ElasticsearchStandIn()
        folder = try ScratchFolder()
        let place = certificates.folder
        proxy = try ChildProcess(
            "/usr/bin/python3",
            [
                "\(SourceTree.root)/Tests/Programs/tls_proxy.py", place.file("\(certificate).pem"),
                place.file("\(certificate).key"), asksClients ? place.file("ca.pem") : "-", version,
                "\(standIn.port)",
            ], log: folder.file("log"))
        port = try #require(Self.port(folder), "the proxy tells its port")
    }

    deinit { proxy.kill9() }

    private static func port(_ folder: ScratchFolder) -> Int? {
        let watch = Inotify()
        watch.watch(folder.path)
        for _ in 0..<300 {
            let text = String(decoding: folder.contents(of: "log") ?? [], as: UTF8.self)
            if text.contains("\n"), let mark = text.firstRange(of: "port=") {
                return Int(text[mark.upperBound...].prefix { $0.isNumber })
            }
            watch.wait(milliseconds: 100)
        }
        return nil
    }

    /// Sends three events as a `<match>` with these parameters says.
    func send(_ parameters: String) throws -> Delivery {
        let text = """
            <match **>
              @type elasticsearch
              host 127.0.0.1
              port \(port)
              scheme https
              index_name logs
              \(parameters.replacing("CERTS", with: certificates.folder.path))
            </match>
            """
        let (section, diagnostics) = ComponentSection.read(text, as: .output)
        let settings = try ElasticsearchSection(
            try #require(section, "\(diagnostics)"))
        let destination = ElasticsearchDestination(
            settings.connection, documents: settings.documents, registry: Registry(), name: "es")
        let chunk = ElasticsearchRig.chunk(ElasticsearchRig.lines(1...3), for: destination)
        return Delivery(of: chunk, by: destination.makeSender())
    }
}

@Suite(
    "Elasticsearch behind TLS", .timeLimit(.minutes(2)),
    .enabled(if: Certificates.areThere, "needs openssl and python3"))
struct ElasticsearchTLSTests {
    private static let trust = "ca_file CERTS/ca.pem"

    @Test(arguments: ["1.2", "1.3"])
    func `is trusted by its authority's file`(version: String) throws {
        let server = try SecureStandIn(version: version)
        #expect(try server.send(Self.trust).end == .delivered)
        #expect(server.standIn.documents.count == 3)
        #expect(server.standIn.violations.isEmpty)
    }

    @Test func `is not trusted without that, and nothing is sent`() throws {
        let server = try SecureStandIn()
        let delivery = try server.send("")
        #expect(delivery.end == .retry(after: nil, progressed: false))
        #expect(delivery.reason.contains("untrusted"))
        #expect(server.standIn.requests.isEmpty)
        #expect(try server.send("ssl_verify false").end == .delivered)
    }

    @Test func `is not trusted under another name`() throws {
        let server = try SecureStandIn(certificate: "other")
        #expect(try server.send(Self.trust).reason.contains("untrusted"))
        #expect(server.standIn.requests.isEmpty)
        #expect(try server.send("\(Self.trust)\nssl_verify false").end == .delivered)
    }

    @Test func `is shown the client's certificate where it asks for one`() throws {
        let server = try SecureStandIn(asksClients: true)
        #expect(try server.send(Self.trust).end == .retry(after: nil, progressed: false))
        #expect(server.standIn.requests.isEmpty)
        let certificate = "\(Self.trust)\nclient_cert CERTS/client.pem\n"
        #expect(try server.send(certificate + "client_key CERTS/client.key").end == .delivered)
        let secret = certificate + "client_key CERTS/client-secret.key\n"
        #expect(try server.send(secret + "client_key_pass secret").end == .delivered)
        #expect(try server.send(secret + "client_key_pass wrong").end != .delivered)
    }

    @Test(arguments: ["ssl_version TLSv1_3", "ssl_min_version TLSv1_3"])
    func `is not spoken to in an older version than is wanted`(parameter: String) throws {
        let old = try SecureStandIn(version: "1.2")
        #expect(try old.send("\(Self.trust)\n\(parameter)").end != .delivered)
        #expect(old.standIn.requests.isEmpty)
        let new = try SecureStandIn()
        #expect(try new.send("\(Self.trust)\n\(parameter)").end == .delivered)
        #expect(
            try new.send("\(Self.trust)\nssl_max_version TLSv1_2").end == .delivered)
    }

    @Test func `is told who comes, in gzip and with the user's own headers`() throws {
        let server = try SecureStandIn()
        let delivery = try server.send(
            """
            \(Self.trust)
            user elastic
            password s3:cret
            compression_level best_speed
            custom_headers {"X-Team":"mesh","X-Empty":"a: b"}
            """)
        #expect(delivery.end == .delivered)
        let headers = server.standIn.requests.first?.headers ?? []
        func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        #expect(value("authorization") == "Basic ZWxhc3RpYzpzMzpjcmV0")
        #expect(value("content-encoding") == "gzip")
        #expect(value("content-type") == "application/x-ndjson")
        #expect(value("x-team") == "mesh")
        #expect(value("x-empty") == "a: b")
        #expect(server.standIn.documents.count == 3)
    }

    @Test func `is reached by URLs with user and password, in turns with others`() throws {
        let servers = (try SecureStandIn(), try SecureStandIn())
        let hosts =
            "hosts https://ann:p%40ss@127.0.0.1:\(servers.0.port),"
            + "https://127.0.0.1:\(servers.1.port)/prefix"
        let text = "\(Self.trust)\n\(hosts)\nbulk_message_request_threshold 150"
        #expect(try servers.0.send(text).end == .delivered)
        let (first, second) = (servers.0.standIn, servers.1.standIn)
        #expect(first.documents.count + second.documents.count == 3)
        #expect(!first.documents.isEmpty && !second.documents.isEmpty)
        #expect(
            first.requests.allSatisfy { request in
                request.headers.contains {
                    $0.name == "authorization" && $0.value == "Basic YW5uOnBAc3M="
                }
            })
        #expect(second.requests.allSatisfy { $0.path == "/prefix/_bulk" })
    }

    @Test func `is not asked for an older version than itself`() throws {
        let server = try SecureStandIn()
        #expect(throws: SectionError.self) {
            try server.send("ssl_min_version TLSv1_3\nssl_max_version TLSv1_2")
        }
    }
}
