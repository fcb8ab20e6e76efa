// swift-tools-version: 6.2
import PackageDescription

// The wrappers of C libraries with their tests and nothing else, built by Scripts/test with the address sanitizer: the whole
// package takes minutes more, and only code that touches C can break memory. `Sources` and `Tests` are links.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

func wrapper(_ name: String, _ module: String, pkgConfig: String? = nil, and others: Target.Dependency...) -> [Target] {
    [
        .systemLibrary(name: module, path: "Sources/\(module)", pkgConfig: pkgConfig),
        .target(
            name: name, dependencies: [.byName(name: module)] + others, path: "Sources/\(name)", swiftSettings: strict),
    ]
}

func tests(_ name: String, of wrapper: Target.Dependency, _ dependencies: Target.Dependency...) -> Target {
    .testTarget(
        name: name, dependencies: [wrapper, "ClairoTestSupport"] + dependencies, path: "Tests/\(name)",
        swiftSettings: strict)
}

let package = Package(
    name: "sanitized",
    targets: wrapper("Libav", "CFFmpeg", and: "CFFmpegLoader")
        + wrapper("Curl", "CCurl", pkgConfig: "libcurl")
        + wrapper("MariaDB", "CMariaDB", pkgConfig: "libmariadb")
        + wrapper("OpenSSL", "COpenSSL", pkgConfig: "libcrypto")
        + wrapper("RDKafka", "CRDKafka", pkgConfig: "rdkafka")
        + wrapper("SQLite", "CSQLite", pkgConfig: "sqlite3")
        + wrapper("Zlib", "CZlib", pkgConfig: "zlib")
        + [
            .target(name: "CFFmpegLoader", dependencies: ["CFFmpeg"], path: "Sources/CFFmpegLoader"),
            .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
            // The fixtures that these tests use.
            .target(
                name: "ClairoTestSupport", dependencies: ["CLinux", "RDKafka"], path: "Tests/ClairoTestSupport",
                sources: [
                    "ChildProcess.swift", "ClairoProcess.swift", "Eventually.swift", "KafkaCluster.swift",
                    "KafkaController.swift", "Kcat.swift", "Loopback.swift", "MariaDBServer.swift",
                    "MemoryMedia.swift", "OwnThreads.swift", "RawServer.swift", "Scratch.swift", "TestTools.swift",
                ], swiftSettings: strict),
            .executableTarget(
                name: "clairo-mock-kafka", dependencies: ["CRDKafka"], path: "Tests/ClairoMockKafka",
                swiftSettings: strict),
            tests("CurlTests", of: "Curl"),
            tests("LibavTests", of: "Libav"),
            tests("MariaDBIntegrationTests", of: "MariaDB"),
            tests("OpenSSLTests", of: "OpenSSL"),
            tests("RDKafkaTests", of: "RDKafka", "CRDKafka"),
            tests("SQLiteTests", of: "SQLite"),
            tests("ZlibTests", of: "Zlib"),
            tests("RDKafkaIntegrationTests", of: "RDKafka", "clairo-mock-kafka"),
        ],
    swiftLanguageModes: [.v6]
)
