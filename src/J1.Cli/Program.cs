using System.Runtime.InteropServices;
using System.Text;
using J1.Cli;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
using var interrupted = new CancellationTokenSource();

// The first signal asks the command to save and stop; a second one ends the process as usual.
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

return Tool.Run(args, Console.Out, Console.Error, isTerminal: !Console.IsOutputRedirected && !Console.IsErrorRedirected, cancellationToken: interrupted.Token);

void Stop(PosixSignalContext signal)
{
    if (interrupted.IsCancellationRequested) return;
    signal.Cancel = true;
    interrupted.Cancel();
}
