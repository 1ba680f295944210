import WeirCore

/// The body of `POST /api/v2/alerts` of an Alertmanager, to the byte as Prometheus writes it.
public enum AlertmanagerBody {
    /// Appends notices as an array.
    public static func append(_ notices: some Sequence<AlertNotice>, to buffer: inout ByteBuffer) {
        buffer.append("[")
        var isFirst = true
        for notice in notices {
            if !isFirst { buffer.append(",") }
            isFirst = false
            buffer.append("{")
            if !notice.annotations.isEmpty {
                buffer.append(#""annotations":"#)
                GoJSON.append(notice.annotations, to: &buffer)
                buffer.append(",")
            }
            buffer.append(
                "\"endsAt\":\"\(GoJSON.time(notice.endsAt))\",\"startsAt\":\"\(GoJSON.time(notice.startsAt))\""
            )
            buffer.append(#","generatorURL":"#)
            GoJSON.append(notice.generatorURL, to: &buffer)
            buffer.append(#","labels":"#)
            GoJSON.append(notice.labels, to: &buffer)
            buffer.append("}")
        }
        buffer.append("]")
    }
}
