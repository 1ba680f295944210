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
    products: [.executable(name: "weir", targets: ["weir"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CIgzip"),
        .target(name: "CShims"),
        .target(
            name: "WeirTesting",
            dependencies: [
                "CShims", "WeirAgent", "WeirConfig", "WeirCore", "WeirHost", "WeirMetrics",
                "WeirParse", "WeirPipeline", "WeirPlugins", "WeirPromQL", "WeirTraces",
            ], swiftSettings: settings),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "weir", "WeirAgent", "WeirAlerts", "WeirConfig", "WeirCore", "WeirHost",
                "WeirMetrics", "WeirPipeline", "WeirPlugins", "WeirPromQL", "WeirTesting",
                "WeirTraces",
            ], swiftSettings: settings),
        .testTarget(
            name: "PipelineTests", dependencies: ["WeirAgent", "WeirTesting"],
            swiftSettings: settings),
        .testTarget(name: "TidyTests", dependencies: ["WeirTesting"], swiftSettings: settings),
        .executableTarget(
            name: "weir",
            dependencies: [
                "WeirAgent", "WeirAlerts", "WeirConfig", "WeirCore", "WeirHost", "WeirPlugins",
                "WeirPromQL", "WeirStore", "WeirTraces",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings),
        .executableTarget(
            name: "weir-bench",
            dependencies: [
                "CShims", "WeirAgent", "WeirConfig", "WeirCore", "WeirHost", "WeirMetrics",
                "WeirParse", "WeirPipeline", "WeirPlugins", "WeirPromQL", "WeirTesting",
                "WeirTraces",
            ], swiftSettings: settings),
    ]
        + module("WeirCore", dependencies: ["CPCRE2", "CShims"])
        + module("WeirConfig", dependencies: ["CYAML", "WeirCore"])
        + module("WeirMetrics", dependencies: ["WeirCore"])
        + module(
            "WeirTraces", dependencies: ["CShims", "WeirCore"], testDependencies: ["WeirHost"])
        + module(
            "WeirPromQL", dependencies: ["WeirCore", "WeirMetrics"],
            testDependencies: ["WeirHost"])
        + module(
            "WeirAlerts", dependencies: ["WeirConfig", "WeirCore", "WeirPromQL"],
            testDependencies: ["WeirMetrics"])
        + module(
            "WeirHost",
            dependencies: [
                "CCurl", "CIgzip", "COpenSSL", "CShims", "CZlib", "CZstd", "WeirCore",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ])
        + module(
            "WeirParse", dependencies: ["CShims", "WeirConfig", "WeirCore"],
            testDependencies: ["WeirHost"])
        + module("WeirStore", dependencies: ["CSQLite", "WeirCore"])
        + module(
            "WeirPlugins",
            dependencies: [
                "CShims", "WeirAlerts", "WeirConfig", "WeirCore", "WeirHost", "WeirMetrics",
                "WeirParse",
                "WeirPipeline", "WeirPromQL", "WeirStore", "WeirTraces",
            ])
        + module(
            "WeirAgent",
            dependencies: [
                "CShims", "WeirAlerts", "WeirConfig", "WeirCore", "WeirHost", "WeirMetrics",
                "WeirPipeline",
                "WeirPlugins", "WeirPromQL", "WeirStore",
                .product(name: "Logging", package: "swift-log"),
            ])
        + module("WeirPipeline", dependencies: ["CShims", "WeirConfig", "WeirCore", "WeirMetrics"])
)
