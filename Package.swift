// swift-tools-version: 6.2
import PackageDescription

// The modules follow one direction: commands -> media and storage -> core. Adapters never import one another.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "clairo",
    products: [
        .executable(name: "clairo", targets: ["clairo"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "clairo",
            dependencies: ["ClairoCommands"],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoCommands",
            dependencies: [
                "AWSSigning", "ClairoAPI", "ClairoCore", "ClairoExecutors", "ClairoMedia", "ClairoMessaging",
                "ClairoMetadata", "ClairoMetrics", "ClairoPipeline", "ClairoStorage",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoMetrics",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoMedia",
            dependencies: ["ClairoCore", "Libav"],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoAPI",
            dependencies: [
                "ClairoPipeline", "ClairoCore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.embedInCode("openapi.json")],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoExecutors", dependencies: ["AWSSigning", "ClairoCore", "CLinux", "CSeccomp", "Curl"],
            swiftSettings: strict
        ),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "ClairoPipeline", dependencies: ["ClairoCore"], swiftSettings: strict),
        .target(
            name: "ClairoMessaging",
            dependencies: ["ClairoCore", "Curl", "RDKafka", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoStorage",
            dependencies: [
                "ClairoCore", "Curl", "AWSSigning", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoCore",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoMetadata",
            dependencies: ["ClairoCore", "MariaDB", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict
        ),
        .target(
            name: "AWSSigning",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(name: "Libav", dependencies: ["CFFmpeg"], swiftSettings: strict),
        .target(name: "Curl", dependencies: ["CCurl"], swiftSettings: strict),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CFFmpeg", pkgConfig: "libavcodec", providers: [.apt(["libavcodec-dev"])]),
        .target(name: "MariaDB", dependencies: ["CMariaDB"], swiftSettings: strict),
        .target(name: "RDKafka", dependencies: ["CRDKafka"], swiftSettings: strict),
        .systemLibrary(name: "CRDKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .target(
            name: "ClairoTestSupport",
            dependencies: ["AWSSigning", "CLinux", "ClairoCore", "ClairoStorage", "RDKafka"],
            path: "Tests/ClairoTestSupport",
            swiftSettings: strict
        ),
        // What Scripts/bench measures the metadata store and the pipeline with.
        .executableTarget(
            name: "clairo-bench",
            dependencies: ["ClairoPipeline", "ClairoMessaging", "ClairoMetadata", "ClairoCore"],
            path: "Tests/ClairoBench",
            swiftSettings: strict
        ),
        // A cluster of librdkafka's mock brokers, which tests start and disturb.
        .executableTarget(
            name: "clairo-mock-kafka",
            dependencies: ["CRDKafka"],
            path: "Tests/ClairoMockKafka",
            swiftSettings: strict
        ),
        .testTarget(name: "ClairoCoreTests", dependencies: ["ClairoCore"], swiftSettings: strict),
        .testTarget(
            name: "ClairoMetricsTests",
            dependencies: [
                "ClairoMetrics", "ClairoTestSupport", .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoStorageTests",
            dependencies: ["AWSSigning", "ClairoStorage", "ClairoCore", "ClairoTestSupport", "Curl"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoPipelineTests",
            dependencies: [
                "ClairoPipeline", "ClairoMessaging", "ClairoCore", "ClairoMedia", "ClairoMetadata", "ClairoStorage",
                "ClairoTestSupport", "clairo-mock-kafka",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoMessagingTests",
            dependencies: [
                "ClairoMessaging", "ClairoCore", "ClairoMetadata", "ClairoTestSupport", "clairo-mock-kafka",
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "CurlTests", dependencies: ["Curl", "ClairoTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ClairoAPITests",
            dependencies: [
                "ClairoAPI", "ClairoPipeline", "ClairoCore", "ClairoMedia", "ClairoStorage", "ClairoTestSupport",
                "clairo",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoMetadataTests",
            dependencies: [
                "ClairoMetadata", "ClairoCore", "MariaDB", "ClairoTestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AWSSigningTests",
            dependencies: ["AWSSigning", "ClairoCore", "ClairoTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoTestSupportTests",
            dependencies: ["AWSSigning", "ClairoCore", "ClairoTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(name: "MariaDBTests", dependencies: ["MariaDB", "ClairoTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RDKafkaTests",
            dependencies: ["RDKafka", "CRDKafka", "ClairoTestSupport", "clairo-mock-kafka"],
            swiftSettings: strict
        ),
        .testTarget(name: "LibavTests", dependencies: ["Libav", "ClairoTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ClairoMediaTests",
            dependencies: ["ClairoMedia", "ClairoCore", "ClairoStorage", "Libav", "ClairoTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoExecutorsTests",
            dependencies: [
                "AWSSigning", "ClairoExecutors", "ClairoCore", "ClairoMedia", "ClairoStorage", "ClairoTestSupport",
                "clairo",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoCommandsTests",
            dependencies: [
                "ClairoCommands", "ClairoCore", "ClairoMedia", "ClairoMessaging", "ClairoMetadata", "ClairoMetrics",
                "ClairoStorage", "ClairoTestSupport", "RDKafka", "clairo", "clairo-mock-kafka",
            ],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
