// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "clairo",
    products: [
        .executable(name: "clairo", targets: ["clairo"])
    ],
    // Exact versions, because there is no Package.resolved. Packages that only these depend on stay unpinned: SwiftPM warns
    // about a dependency that no target uses.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    // By layer, top first. A target depends on layers below its own; adapters never import one another.
    targets: [
        // Program: parses the command line and puts the parts together.
        .executableTarget(name: "clairo", dependencies: ["ClairoCommands"]),
        .target(
            name: "ClairoCommands",
            dependencies: [
                "AWSClient", "AWSSigning", "ClairoAPI", "ClairoCore", "ClairoExecutors", "ClairoMedia",
                "ClairoMessaging", "ClairoMetadata", "ClairoMetrics", "ClairoPipeline", "ClairoStorage", "OpenSSL",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),

        // Services: the pipeline and its HTTP API, on the core's ports.
        .target(
            name: "ClairoAPI",
            dependencies: [
                "ClairoCore", "ClairoPipeline", "OpenSSL",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("openapi.json")]
        ),
        .target(name: "ClairoPipeline", dependencies: ["ClairoCore"]),

        // Adapters: each implements ports of the core on a library, a server or the operating system.
        .target(
            name: "ClairoExecutors",
            dependencies: ["AWSClient", "AWSSigning", "CLinux", "CSeccomp", "ClairoCore", "Curl"]
        ),
        .target(name: "ClairoMedia", dependencies: ["ClairoCore", "Libav"]),
        .target(
            name: "ClairoMessaging",
            dependencies: ["ClairoCore", "Curl", "OpenSSL", "RDKafka"]
        ),
        .target(name: "ClairoMetadata", dependencies: ["ClairoCore", "MariaDB", "SQLite"]),
        .target(
            name: "ClairoMetrics",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")]
        ),
        .target(
            name: "ClairoStorage",
            dependencies: ["AWSClient", "AWSSigning", "ClairoCore", "Curl", "Zlib"]
        ),

        // What adapters share: signed requests to AWS, for the object store and the executor.
        .target(name: "AWSClient", dependencies: ["AWSSigning", "ClairoCore", "Curl"]),

        // Core: the model, the ports and the state machine.
        .target(name: "ClairoCore", dependencies: ["CLinux", "OpenSSL"]),

        // Wrappers: Swift over one library or protocol each. They know nothing of Clairo.
        .target(name: "AWSSigning", dependencies: ["OpenSSL"]),
        .target(name: "Curl", dependencies: ["CCurl"]),
        .target(name: "Libav", dependencies: ["CFFmpeg", "CFFmpegLoader"]),
        .target(name: "MariaDB", dependencies: ["CMariaDB"]),
        .target(name: "OpenSSL", dependencies: ["COpenSSL"]),
        .target(name: "RDKafka", dependencies: ["CRDKafka"]),
        .target(name: "SQLite", dependencies: ["CSQLite"]),
        .target(name: "Zlib", dependencies: ["CZlib"]),

        // C libraries, from the system's packages.
        // Without pkg-config: Debian 13's file for libcurl names folders with a flag that SwiftPM warns of.
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        // Without pkg-config, which would link the libraries: CFFmpegLoader loads them when they are used. Headers outside the
        // compiler's own folders need `-Xcc -IFOLDER`.
        .systemLibrary(name: "CFFmpeg", providers: [.apt(["libavcodec-dev", "libavformat-dev", "libavfilter-dev"])]),
        .target(name: "CFFmpegLoader", dependencies: ["CFFmpeg"]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CRDKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

        // Tests, and the programs that they and the benchmarks start.
        .target(
            name: "ClairoTestSupport",
            dependencies: ["AWSSigning", "CLinux", "ClairoCore", "RDKafka"],
            path: "Tests/ClairoTestSupport"
        ),
        // Scripts/bench/run measures the metadata store and the pipeline with it.
        .executableTarget(
            name: "clairo-bench",
            dependencies: ["ClairoPipeline", "ClairoMessaging", "ClairoMetadata", "ClairoCore"],
            path: "Tests/ClairoBench"
        ),
        // A cluster of librdkafka's mock brokers, which tests start and disturb.
        .executableTarget(
            name: "clairo-mock-kafka",
            dependencies: ["CRDKafka"],
            path: "Tests/ClairoMockKafka"
        ),
        // A task's process that misbehaves, which tests start in the place of `clairo run-task`.
        .executableTarget(
            name: "clairo-misbehaving",
            dependencies: ["ClairoExecutors", "ClairoCore"],
            path: "Tests/ClairoMisbehaving"
        ),

        // Quick tests: pure logic, embedded backends, servers within the test's process.
        .testTarget(name: "AWSSigningTests", dependencies: ["AWSSigning", "ClairoCore", "ClairoTestSupport"]),
        .testTarget(
            name: "ClairoAPITests",
            dependencies: [
                "ClairoAPI", "ClairoCore", "ClairoTestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "ClairoCommandsTests",
            dependencies: [
                "ClairoAPI", "ClairoCommands", "ClairoCore", "ClairoMedia", "ClairoMetrics", "ClairoPipeline",
                "ClairoTestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "ClairoCoreTests", dependencies: ["ClairoCore"]),
        .testTarget(
            name: "ClairoExecutorsTests",
            dependencies: [
                "AWSClient", "AWSSigning", "ClairoCore", "ClairoExecutors", "ClairoStorage", "ClairoTestSupport",
            ]
        ),
        .testTarget(
            name: "ClairoMediaTests",
            dependencies: ["ClairoCore", "ClairoMedia", "ClairoTestSupport", "Libav"]
        ),
        .testTarget(
            name: "ClairoMessagingTests",
            dependencies: [
                "CRDKafka", "ClairoCore", "ClairoMessaging", "ClairoMetadata", "ClairoTestSupport", "RDKafka",
            ]
        ),
        .testTarget(
            name: "ClairoMetadataTests",
            dependencies: ["ClairoCore", "ClairoMetadata", "ClairoTestSupport", "MariaDB", "SQLite"]
        ),
        .testTarget(
            name: "ClairoMetricsTests",
            dependencies: [
                "ClairoMetrics", "ClairoTestSupport", .product(name: "CoreMetrics", package: "swift-metrics"),
            ]
        ),
        .testTarget(
            name: "ClairoPipelineTests",
            dependencies: [
                "ClairoCore", "ClairoMedia", "ClairoMetadata", "ClairoPipeline", "ClairoStorage", "ClairoTestSupport",
            ]
        ),
        .testTarget(name: "ClairoStorageTests", dependencies: ["ClairoCore", "ClairoStorage", "ClairoTestSupport"]),
        .testTarget(name: "CurlTests", dependencies: ["ClairoTestSupport", "Curl"]),
        .testTarget(name: "LibavTests", dependencies: ["ClairoTestSupport", "Libav"]),
        .testTarget(name: "OpenSSLTests", dependencies: ["OpenSSL"]),
        .testTarget(name: "RDKafkaTests", dependencies: ["CRDKafka", "RDKafka"]),
        .testTarget(name: "SQLiteTests", dependencies: ["ClairoTestSupport", "SQLite"]),
        .testTarget(name: "ZlibTests", dependencies: ["Zlib"]),

        // Integration tests: real servers, media files, the built program. Scripts/test says which programs each needs.
        .testTarget(
            name: "AWSSigningIntegrationTests", dependencies: ["AWSSigning", "ClairoCore", "ClairoTestSupport"]),
        .testTarget(
            name: "ClairoAPIIntegrationTests",
            dependencies: [
                "ClairoAPI", "ClairoCore", "ClairoMedia", "ClairoPipeline", "ClairoStorage", "ClairoTestSupport",
                "OpenSSL", "clairo",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .testTarget(
            name: "ClairoCommandsIntegrationTests",
            dependencies: [
                "ClairoCommands", "ClairoCore", "ClairoMessaging", "ClairoMetadata", "ClairoStorage",
                "ClairoTestSupport", "RDKafka", "clairo", "clairo-mock-kafka",
            ]
        ),
        .testTarget(
            name: "ClairoExecutorsIntegrationTests",
            dependencies: [
                "AWSClient", "AWSSigning", "ClairoCore", "ClairoExecutors", "ClairoMedia", "ClairoStorage",
                "ClairoTestSupport",
                "clairo", "clairo-misbehaving",
            ]
        ),
        .testTarget(
            name: "ClairoMediaIntegrationTests",
            dependencies: ["ClairoCore", "ClairoMedia", "ClairoStorage", "ClairoTestSupport"]
        ),
        .testTarget(
            name: "ClairoMessagingIntegrationTests",
            dependencies: ["ClairoCore", "ClairoMessaging", "ClairoMetadata", "ClairoTestSupport", "clairo-mock-kafka"]
        ),
        .testTarget(
            name: "ClairoMetadataIntegrationTests",
            dependencies: ["ClairoCore", "ClairoMetadata", "ClairoTestSupport", "MariaDB"]
        ),
        .testTarget(
            name: "ClairoPipelineIntegrationTests",
            dependencies: [
                "ClairoCore", "ClairoMedia", "ClairoMessaging", "ClairoMetadata", "ClairoPipeline", "ClairoStorage",
                "ClairoTestSupport", "clairo-mock-kafka",
            ]
        ),
        .testTarget(
            name: "ClairoStorageIntegrationTests",
            dependencies: ["AWSSigning", "ClairoCore", "ClairoStorage", "ClairoTestSupport", "Curl"]
        ),
        .testTarget(name: "ClairoTestSupportIntegrationTests", dependencies: ["AWSSigning", "ClairoTestSupport"]),
        .testTarget(name: "MariaDBIntegrationTests", dependencies: ["ClairoTestSupport", "MariaDB"]),
        .testTarget(
            name: "RDKafkaIntegrationTests", dependencies: ["ClairoTestSupport", "RDKafka", "clairo-mock-kafka"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .treatAllWarnings(as: .error),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
}

// Builds only these test targets, and no program: the quick ones for `Scripts/test --quick`, and those of the media too for
// `Scripts/test --on`.
if let selection = Context.environment["CLAIRO_TESTS"] {
    let integration = selection == "media" ? ["ClairoMediaIntegrationTests"] : []
    package.products = []
    package.targets.removeAll { target in
        target.type == .executable || target.name.hasSuffix("IntegrationTests") && !integration.contains(target.name)
    }
}
