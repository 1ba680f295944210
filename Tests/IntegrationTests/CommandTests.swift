import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirHost
import WeirPlugins
import WeirTesting

@Suite("The command line", .timeLimit(.minutes(2))) struct CommandTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
    }

    /// Runs `weir` with these arguments.
    private func weir(_ arguments: String...) throws -> (code: Int32, output: String) {
        unlink(folder.file("out"))
        let process = try ChildProcess(TestPrograms.weir, arguments, log: folder.file("out"))
        return (process.wait(), output)
    }

    private var output: String {
        String(decoding: folder.contents(of: "out") ?? [], as: UTF8.self)
    }

    private func configuration(_ output: String) -> String {
        """
        <system>
          admin_port 0
        </system>
        <source>
          @type tail
          path \(folder.file("access.log"))
          pos_file \(folder.file("access.pos"))
          tag istio.access
          read_from_head true
          <parse>
            @type json
          </parse>
        </source>
        <match **>
          \(output)
        </match>
        """
    }

    // MARK: test

    @Test func `runs scripts of Prometheus' test language`() throws {
        let load = "load 1m\n  up{job=\"a\"} 1 0\n\n"
        folder.write(load + "eval instant at 1m up == 0\n  up{job=\"a\"} 0\n", to: "good.test")
        let passed = try weir("test", folder.file("good.test"))
        #expect(passed.code == 0)
        #expect(passed.output.contains("passed  \(folder.file("good.test")) (1 of 1 queries)"))
        folder.write(load + "eval instant at 1m sum(up)\n  {} 1\n", to: "wrong.test")
        let failed = try weir("test", folder.path)
        #expect(failed.code == 1)
        #expect(failed.output.contains("wrong.test:4: sum(up)"))
        folder.write("load often\n", to: "wrong.test")
        let refused = try weir("test", folder.file("wrong.test"))
        #expect(refused.code == 1)
        #expect(refused.output.contains("wrong.test:1: `often` is not a duration"))
        #expect(try weir("test", folder.file("absent.test")).code == 1)
    }

    // MARK: check

    @Test(arguments: [false, true])
    func `checks a configuration: sound, broken or not there`(isDryRun: Bool) throws {
        let options = isDryRun ? ["run", "--dry-run", "-c"] : ["check"]
        func check(_ path: String) throws -> (code: Int32, output: String) {
            unlink(folder.file("out"))
            let process = try ChildProcess(
                TestPrograms.weir, options + [path], log: folder.file("out"))
            return (process.wait(), output)
        }
        folder.write(configuration("@type null"), to: "sound.conf")
        #expect(try check(folder.file("sound.conf")).code == 0)
        #expect(output.hasSuffix("sound.conf: sound\n"))
        folder.write(configuration("@type stdou\n  colour red"), to: "broken.conf")
        let broken = try check(folder.file("broken.conf"))
        #expect(broken.code == 1)
        #expect(broken.output.contains("broken.conf:15:9: there is no output `stdou`"))
        #expect(broken.output.contains("help: did you mean `stdout`?"))
        #expect(broken.output.hasSuffix("broken.conf: 1 mistake\n"))
        #expect(try check(folder.file("absent.conf")).code == 2)
        #expect(output.contains("cannot be read"))
    }

    @Test func `checks several files and folders, and tells the worst`() throws {
        folder.makeFolder("pipeline")
        folder.write(configuration("@type null"), to: "pipeline/weir.conf")
        folder.write(configuration("@type nul"), to: "broken.conf")
        let (code, output) = try weir(
            "check", folder.file("pipeline"), folder.file("broken.conf"))
        #expect(code == 1)
        #expect(output.contains("pipeline/weir.conf: sound"))
    }

    @Test func `checks rules with their tests, a folder of them, and those of a configuration`()
        throws
    {
        func group(_ rule: String) -> String { "groups: [{name: g, rules: [\(rule)]}]\n" }
        folder.makeFolder("alerts")
        folder.write(
            group("{alert: Down, expr: 'rate(a_total[30s]) == 0', annotations: {runbook_url: /r}}"),
            to: "alerts/a.yml")
        folder.write("kind: Deployment\n", to: "alerts/other.yaml")
        let alone = try weir("check", folder.file("alerts/a.yml"))
        #expect(alone.code == 0)
        #expect(alone.output.contains("a.yml:1:62: warning: R205: the range is shorter"))
        #expect(alone.output.contains("help: write `rate(a_total[1m]) == 0`"))
        #expect(alone.output.hasSuffix("a.yml: sound, 1 warning\n"))
        #expect(try weir("check", "--strict", folder.file("alerts/a.yml")).code == 1)
        let often = try weir("check", "--strict", "--interval", "5", folder.file("alerts/a.yml"))
        #expect(often.code == 0)

        let untested = try weir("check", folder.file("alerts"))
        #expect(untested.output.contains("warning: R208: no unit test is about the alert `Down`"))
        folder.write(
            "tests: [{alert_rule_test: [{eval_time: 1m, alertname: Down}]}]\n",
            to: "alerts/a_test.yml")
        let tested = try weir("check", folder.file("alerts"))
        #expect(tested.code == 0)
        #expect(!tested.output.contains("R208") && !tested.output.contains("other.yaml"))
        #expect(tested.output.contains("a.yml: sound, 1 warning\n"))
        #expect(tested.output.hasSuffix("a_test.yml: sound\n"))

        let alerting = "<alerting>\n  rule_files \(folder.file("alerts/a.yml"))\n</alerting>\n"
        folder.write(
            configuration("@type null") + "\n" + alerting, to: "rules.conf")
        let named = try weir("check", folder.file("rules.conf"))
        #expect(named.code == 0)
        #expect(named.output.contains("a.yml:1:62: warning: R205"))
        #expect(named.output.contains("a.yml:1:54: warning: R201: nothing makes `a_total`"))
        #expect(named.output.contains("rules.conf: sound, 2 warnings"))
        let scraping = "<source>\n  @type prometheus_scrape\n  targets localhost:1\n</source>\n"
        folder.write(
            configuration("@type null") + "\n" + alerting + scraping, to: "scraping.conf")
        #expect(try !weir("check", folder.file("scraping.conf")).output.contains("R201"))
        folder.makeFolder("empty")
        #expect(try weir("check", folder.file("empty")).code == 2)
    }

    // MARK: docs

    @Test func `documents every component with all of its parameters`() throws {
        let index = try weir("docs")
        #expect(index.code == 0)
        for declaration in PluginCatalog.catalog.all {
            #expect(index.output.contains(declaration.type), "\(declaration.type)")
            let page = try weir("docs", declaration.type)
            #expect(page.code == 0)
            for parameter in declaration.parameters {
                #expect(page.output.contains(parameter.name), "\(declaration.type)")
                #expect(page.output.contains(parameter.summary), "\(declaration.type)")
            }
            for ignored in declaration.ignored {
                #expect(page.output.contains(ignored.name), "\(declaration.type)")
            }
        }
    }

    @Test func `has the nearest name for a component that is not there`() throws {
        let (code, output) = try weir("docs", "elasticserch")
        #expect(code != 0)
        #expect(output.contains("did you mean `elasticsearch`?"))
    }

    // MARK: test

    @Test func `runs pipelines as tests and shows what differs`() throws {
        for name in ["one", "one/input", "one/input/var", "one/expected"] {
            folder.makeFolder(name)
        }
        folder.write(
            configuration("@type stdout").replacing(folder.file("access.log"), with: "/var/a.log"),
            to: "one/weir.conf")
        folder.write("{\"n\":1}\n", to: "one/input/var/a.log")
        #expect(try weir("test", folder.file("one"), "--update").code == 0)
        let passed = try weir("test", folder.path)
        #expect(passed.code == 0)
        #expect(passed.output.hasPrefix("passed  "))
        folder.write("{\"n\":2}\n", to: "one/input/var/a.log")
        let failed = try weir("test", folder.file("one"))
        #expect(failed.code == 1)
        #expect(failed.output.contains("stdout.jsonl:1: another event"))
        folder.makeFolder("empty")
        #expect(try weir("test", folder.file("empty")).code == 2)
    }

    // MARK: logs

    private func line(_ number: Int, code: Int) -> String {
        "{\"n\":\(number),\"method\":\"GET\",\"path\":\"/p/\(number)\",\"response_code\":\(code),"
            + "\"duration\":\(number * 10),\"service_name\":\"reviews\"}\n"
    }

    private func startStore() throws -> RunningWeir {
        folder.write(
            configuration("@type store\n  path \(folder.file("store.db"))"), to: "weir.conf")
        folder.write(
            (0..<20).map { line($0, code: $0 % 4 == 0 ? 503 : 200) }.joined(),
            to: "access.log")
        let running = try RunningWeir(folder)
        #expect(running.waitForLog("weir runs"))
        while running.metric("weir_output_delivered_events_total") ?? 0 < 20 {}
        return running
    }

    @Test func `reads the store by condition, time and number, also while it is written`() throws {
        let running = try startStore()
        let store = folder.file("store.db")
        let failed = try weir("logs", "--store", store, "--where", "response_code >= 500")
        #expect(failed.code == 0)
        #expect(failed.output.split(separator: "\n").count == 5)
        #expect(failed.output.contains("503  GET  /p/16  reviews  160 ms"))
        #expect(try weir("logs", "--store", store, "--since", "15m").output.contains("/p/19"))
        #expect(try weir("logs", "--store", store, "--until", "15m").output.isEmpty)
        let last = try weir("logs", "--store", store, "--limit", "3", "--json").output
        #expect(
            last.split(separator: "\n").map(String.init)
                == (17..<20).map {
                    String(line($0, code: 200).dropLast())
                })
        #expect(try weir("logs", "--store", store, "--tag", "other.**").output.isEmpty)
        #expect(running.terminate() == 0)
    }

    @Test func `follows the store`() throws {
        let running = try startStore()
        let logs = try ChildProcess(
            TestPrograms.weir,
            [
                "logs", "--store", folder.file("store.db"), "--follow", "--where",
                "response_code = 503",
            ], log: folder.file("followed"))
        defer { logs.kill9() }
        func wait(for text: String) -> Bool {
            let watch = Inotify()
            watch.watch(folder.file("followed"))
            for _ in 0..<60 {
                let followed = folder.contents(of: "followed") ?? []
                if String(decoding: followed, as: UTF8.self).contains(text) { return true }
                watch.wait(milliseconds: 500)
            }
            return false
        }
        #expect(wait(for: "/p/16"))
        folder.append(line(20, code: 200) + line(21, code: 503), to: "access.log")
        #expect(wait(for: "/p/21"))
        let followed = String(decoding: folder.contents(of: "followed") ?? [], as: UTF8.self)
        #expect(!followed.contains("/p/20"))
        #expect(followed.split(separator: "\n").count == 6)
        #expect(running.terminate() == 0)
    }

    @Test(arguments: [
        (["--where", "response_code >="], "value"), (["--since", "soon"], "neither a duration"),
        (["--tag", "/(/"], ""), (["--store", "/nowhere/store.db"], "--store"),
    ])
    func `refuses what it cannot read`(arguments: [String], message: String) throws {
        _ = try startStore().terminate()
        let store = arguments.contains("--store") ? [] : ["--store", folder.file("store.db")]
        unlink(folder.file("out"))
        let process = try ChildProcess(
            TestPrograms.weir, ["logs"] + store + arguments, log: folder.file("out"))
        #expect(process.wait() != 0)
        #expect(output.contains(message), "\(output)")
    }
}
