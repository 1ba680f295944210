import Glibc
import WeirCore

@MainActor func cpuNow() -> Double {
    var t = timespec(); clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return Double(t.tv_sec) + Double(t.tv_nsec) / 1e9
}
var line = ""
@MainActor func gen(_ i: Int) -> String {
    #"{"authority":"reviews:9080","bytes_received":0,"bytes_sent":\#(1000 + i % 977),"connection_termination_details":null,"downstream_local_address":"10.96.12.\#(i % 250):9080","downstream_remote_address":"10.244.1.\#(i % 251):\#(30000 + i % 30000)","duration":\#(i % 300),"method":"GET","path":"/reviews/\#(i % 5000)?user=\#(i)","protocol":"HTTP/1.1","request_id":"0a4f6d5e-8c1b-9f3a-b2d7-\#(100000000000 + i)","requested_server_name":"outbound_.9080_._.reviews.default.svc.cluster.local","response_code":\#(i % 20 == 0 ? 503 : 200),"response_code_details":"via_upstream","response_flags":"-","route_name":"default","start_time":"2026-11-24T09:\#(10 + i / 6000 % 50):\#(10 + i / 100 % 50).\#(100 + i % 900)Z","upstream_cluster":"outbound|9080|v1|reviews.default.svc.cluster.local","upstream_host":"10.244.2.\#(i % 249):9080","upstream_local_address":"10.244.1.7:\#(40000 + i % 20000)","upstream_service_time":"\#(i % 290)","upstream_transport_failure_reason":null,"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0","x_forwarded_for":"10.0.0.\#(i % 256)"}"#
}
var text: [UInt8] = []
let n = 20_000
for i in 0..<n { text += Array(gen(i).utf8) + [10] }
print("bytes per line", text.count / n)
let batch = EventBatch(blockCapacity: 256 * 1024)
let scanner = JSONLineScanner()
@MainActor func eachBlock(_ f: () -> Void) {
    var at = 0
    text.withUnsafeBytes { all in
        while at < all.count {
            let size = min(256 * 1024, all.count - at)
            batch.reset()
            batch.fillBlock(copying: UnsafeRawBufferPointer(rebasing: all[at..<at + size]))
            let used = batch.cutLines(position: UInt64(at))
            f()
            at += used
        }
    }
}
@MainActor func measure(_ name: String, _ body: () -> Void) {
    var best = Double.infinity
    for _ in 0..<15 { let a = cpuNow(); body(); best = min(best, cpuNow() - a) }
    print(name, Int(best / Double(n) * 1e9), "ns/event")
}
measure("copy+cut") { eachBlock {} }
measure("+scan") { eachBlock { scanner.scan(into: batch, time: .epoch) } }
var sink = 0
measure("+scan+identity") {
    eachBlock {
        scanner.scan(into: batch, time: .epoch); batch.origin = Origin(high: 1, low: 2);
        for r in batch.rows.indices {
            if let e = EventIdentity(row: r, in: batch) { sink &+= Int(truncatingIfNeeded: e.low) }
        }
    }
}
var out = ByteBuffer(capacity: 1 << 20)
measure("+scan+encode") {
    eachBlock {
        scanner.scan(into: batch, time: .epoch); out.truncate(to: 0); var enc = BatchEncoder(batch);
        for r in batch.rows.indices { enc.append(row: r, to: &out); out.append(byte: 10) }
    }
}
measure("+scan+2 edits+identity+encode") {
    eachBlock {
        scanner.scan(into: batch, time: .epoch); out.truncate(to: 0)
        batch.origin = Origin(high: 1, low: 2)
        var a = ColumnReader("upstream_cluster", in: batch),
            b = ColumnReader("response_code", in: batch)
        let c1 = batch.editColumn("service_name"), c2 = batch.editColumn("response_code")
        for r in batch.rows.indices {
            let s = a.slot(row: r, in: batch); batch.edit(column: c1, row: r, to: s);
            batch.edit(column: c2, row: r, to: b.slot(row: r, in: batch))
        }
        var enc = BatchEncoder(batch)
        for r in batch.rows.indices {
            out.append("{\"create\":{\"_index\":\"logstash-2026.11.24\",\"_id\":\"");
            if let e = EventIdentity(row: r, in: batch) { e.appendBase64(to: &out) };
            out.append("\"}}\n"); enc.append(row: r, to: &out); out.append(byte: 10)
        }
    }
}
print(sink)
