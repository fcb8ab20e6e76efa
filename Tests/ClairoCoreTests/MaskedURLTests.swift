import ClairoCore
import Testing

@Suite struct MaskedURLTests {
    static let cases = [
        ("mysql://u:hunter2@h/d", "mysql://u:***@h/d"), ("mysql://u:hunt/er@2@h:1/d", "mysql://u:***@h:1/d"),
        ("mysql://u@h/d?ssl-mode=REQUIRED", "mysql://u@h/d?ssl-mode=REQUIRED"),
        ("mysql://u@h/d?password=hunter2&socket=/s", "mysql://u@h/d?password=***&socket=/s"),
        ("sqlite:/a/b.db", "sqlite:/a/b.db"), ("s3://bucket/a@b", "s3://bucket/a@b"), ("words", "words"),
        ("mysql:u:hunter2@h/d", "***@h/d"), ("u:hunter@2@h/d?password=hunter2", "***@h/d?password=***"),
        ("mysql:h/d?password=hunter2", "mysql:h/d?password=***"), ("file:/home/a@b/raw", "file:/home/a@b/raw"),
    ]

    @Test(arguments: cases) func possibleSecretsAreMasked(_ url: String, _ shown: String) {
        #expect(MaskedURL.text(url) == shown)
    }

    @Test func aKeyBeforeABucketIsMasked() {
        #expect(MaskedURL.text("s3://AKIA:SECRET@bucket/x", hidesUser: true) == "s3://***@bucket/x")
    }
}
