// Hot path: once per event.

/// The parts of a cluster's name, `direction|port|subset|host` (istio: `pilot/pkg/model/service.go`,
/// `BuildSubsetKey`).
struct IstioClusterName {
    /// Whose listener the cluster belongs to.
    enum Direction {
        case outbound, inbound, waypoint, other
    }

    var direction = Direction.other
    var subset = ByteText.none
    var host = ByteText.none

    /// The parts of a name; one that has other parts has the direction `other`.
    @inline(__always)
    init(_ name: ByteText) {
        let bar = UInt8(ascii: "|")
        guard let first = name.place(of: bar), let second = name.place(of: bar, from: first &+ 1),
            let third = name.place(of: bar, from: second &+ 1)
        else { return }
        let word = name.part(0, first)
        if word.isSame(as: "outbound") {
            direction = .outbound
            subset = name.part(second &+ 1, third)
        } else if word.isSame(as: "inbound") {
            direction = .inbound
        } else if word.isSame(as: "inbound-vip") {
            // The third part is the port's protocol here.
            direction = .waypoint
        } else {
            return
        }
        host = name.part(from: third &+ 1)
    }
}

/// The parts of a server name that Istio's clients send, `outbound_.port_.subset_.host`.
struct IstioServerName {
    var subset = ByteText.none
    var host = ByteText.none

    /// The parts of a name; `nil` for one that is not Istio's.
    @inline(__always)
    init?(_ name: ByteText) {
        guard name.begins(with: "outbound_.") else { return nil }
        guard let port = Self.placeOfSeparator(name, from: 10),
            let end = Self.placeOfSeparator(name, from: port &+ 2)
        else { return nil }
        subset = name.part(port &+ 2, end)
        host = name.part(from: end &+ 2)
    }

    private static func placeOfSeparator(_ name: ByteText, from start: Int) -> Int? {
        var start = start
        while let place = name.place(of: UInt8(ascii: "_"), from: start) {
            guard place &+ 1 < name.count else { return nil }
            if name[place &+ 1] == UInt8(ascii: ".") { return place }
            start = place &+ 1
        }
        return nil
    }
}

/// What the name of a host says of its service.
struct IstioServiceName {
    /// The first label of a service of the cluster; of other hosts the whole name.
    var name: ByteText
    /// The second label of a service of the cluster; empty for other hosts.
    var namespace = ByteText.none

    /// The parts of `name.namespace.svc.domain`, or the whole of any other name.
    @inline(__always)
    init(_ host: ByteText) {
        name = host
        let dot = UInt8(ascii: ".")
        guard let first = host.place(of: dot),
            let second = host.place(of: dot, from: first &+ 1),
            second &+ 3 < host.count || second &+ 4 == host.count,
            host.part(second &+ 1, second &+ 4).isSame(as: "svc"),
            second &+ 4 == host.count || host[second &+ 4] == dot
        else { return }
        name = host.part(0, first)
        namespace = host.part(first &+ 1, second)
    }
}

extension UnsafeRawBufferPointer {
    /// An address or authority without its port; without brackets around an IPv6 address.
    @inline(__always)
    var withoutPort: ByteText {
        if first == UInt8(ascii: "[") {
            guard let end = place(of: UInt8(ascii: "]")) else { return self }
            return part(1, end)
        }
        var place = count
        while place > 0 {
            place &-= 1
            let byte = self[place]
            if byte == UInt8(ascii: ":") {
                // Two colons: an IPv6 address without brackets and port.
                if part(0, place).place(of: byte) != nil { return self }
                return part(0, place)
            }
            guard byte &- UInt8(ascii: "0") < 10 else { return self }
        }
        return self
    }

    /// The namespace in the identity `spiffe://domain/ns/NAMESPACE/sa/ACCOUNT`.
    var namespaceOfIdentity: ByteText {
        guard let start = place(of: "/ns/") else { return .none }
        return part(from: start &+ 4).part(before: UInt8(ascii: "/"))
    }
}

/// The first service in the metadata of a cluster: `[{"host":…,"name":…,"namespace":…}]`.
struct IstioServiceMetadata {
    var host = ByteText.none
    var name = ByteText.none
    var namespace = ByteText.none

    /// Reads the first object of the array; strings with escapes are left out, names have none.
    init(_ json: ByteText) {
        guard let end = json.place(of: UInt8(ascii: "}")) else { return }
        let object = json.part(0, end)
        host = Self.member("\"host\"", of: object)
        name = Self.member("\"name\"", of: object)
        namespace = Self.member("\"namespace\"", of: object)
    }

    private static func member(_ key: StaticString, of object: ByteText) -> ByteText {
        guard let place = object.place(of: key) else { return .none }
        var start = place + key.utf8CodeUnitCount
        while start < object.count, object[start] == 0x20 || object[start] == UInt8(ascii: ":") {
            start += 1
        }
        guard start < object.count, object[start] == UInt8(ascii: "\"") else { return .none }
        let value = object.part(from: start + 1)
        guard let end = value.place(of: UInt8(ascii: "\"")) else { return .none }
        let text = value.part(0, end)
        return text.place(of: UInt8(ascii: "\\")) == nil ? text : .none
    }
}
