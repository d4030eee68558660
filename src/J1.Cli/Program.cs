Console.Error.WriteLine("usage: j1 COMMAND");
return 2;
