public import ArgumentParser
public import ClairoCore
public import ClairoExecutors

// Types of other modules, which are written on the command line as in JSON and SQL.

extension Priority: ExpressibleByArgument {}

extension Video.State: ExpressibleByArgument {}

extension SandboxMode: ExpressibleByArgument {}
