// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    // The run-time checks for overlapping access cost a third of the hot path; debug builds, and
    // so all tests, keep them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// A module of Weir with its tests beside it: `Tests/` mirrors `Sources/`.
func module(
    _ name: String,
    dependencies: [Target.Dependency] = [],
    testDependencies: [Target.Dependency] = []
) -> [Target] {
    [
        .target(name: name, dependencies: dependencies, swiftSettings: settings),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.target(name: name), "WeirTesting"] + dependencies + testDependencies,
            swiftSettings: settings
        ),
    ]
}

let package = Package(
    name: "weir",
    products: [],
    dependencies: [],
    targets: [
        .systemLibrary(
            name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CShims"),
        .target(name: "WeirTesting", dependencies: ["WeirCore"], swiftSettings: settings),
        .executableTarget(name: "weir-bench", dependencies: ["WeirCore"], swiftSettings: settings),
    ]
        + module("WeirCore", dependencies: ["CPCRE2", "CShims"])
        + module("WeirConfig", dependencies: ["WeirCore"])
        + module("WeirMetrics", dependencies: ["WeirCore"])
        + module("WeirHost", dependencies: ["CCurl", "CShims", "CZlib", "WeirCore"])
        + module(
            "WeirParse", dependencies: ["WeirConfig", "WeirCore"], testDependencies: ["WeirHost"])
        + module(
            "WeirPlugins",
            dependencies: [
                "CShims", "WeirConfig", "WeirCore", "WeirHost", "WeirMetrics", "WeirParse",
                "WeirPipeline",
            ])
        + module("WeirPipeline", dependencies: ["CShims", "WeirConfig", "WeirCore", "WeirMetrics"])
)
