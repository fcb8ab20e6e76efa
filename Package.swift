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
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
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
                "ClairoCore", "ClairoMedia", "ClairoStorage",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ClairoMedia",
            dependencies: ["ClairoCore", "Libav", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .target(name: "ClairoStorage", dependencies: ["ClairoCore"], swiftSettings: strict),
        .target(name: "ClairoCore", swiftSettings: strict),
        .target(name: "Libav", dependencies: ["CFFmpeg"], swiftSettings: strict),
        .systemLibrary(name: "CFFmpeg", pkgConfig: "libavcodec", providers: [.apt(["libavcodec-dev"])]),
        .target(
            name: "ClairoTestSupport",
            dependencies: ["ClairoCore", "ClairoStorage"],
            path: "Tests/ClairoTestSupport",
            swiftSettings: strict
        ),
        .testTarget(name: "ClairoCoreTests", dependencies: ["ClairoCore"], swiftSettings: strict),
        .testTarget(
            name: "ClairoStorageTests",
            dependencies: ["ClairoStorage", "ClairoCore", "ClairoTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(name: "LibavTests", dependencies: ["Libav", "ClairoTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ClairoMediaTests",
            dependencies: ["ClairoMedia", "ClairoCore", "ClairoStorage", "Libav", "ClairoTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClairoCommandsTests",
            dependencies: [
                "ClairoCommands", "ClairoCore", "ClairoMedia", "ClairoStorage", "ClairoTestSupport", "clairo",
            ],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
